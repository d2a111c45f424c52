package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rmqprov/rmqprov/provision/plan"
)

func TestDecide(t *testing.T) {
	disruptive := []plan.Step{{ID: "stack.rabbitmq.service.rabbitmq-01", Disrupts: "restarts rabbitmq-01"}}
	for _, c := range []struct {
		name        string
		yes, people bool
		disruptive  []plan.Step
		want        consent
	}{
		{"on a terminal it asks", false, true, nil, asked},
		{"on a terminal it asks before a disruption", false, true, disruptive, asked},
		{"--yes does not ask", true, true, nil, given},
		{"--yes allows a disruption", true, true, disruptive, given},
		{"--yes without a terminal allows a disruption", true, false, disruptive, given},
		{"without a terminal it goes ahead with what hurts nothing", false, false, nil, given},
		{"without a terminal it refuses a disruption", false, false, disruptive, withheld},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := decide(c.yes, c.people, c.disruptive); got != c.want {
				t.Errorf("decide: %v, want %v", got, c.want)
			}
		})
	}
}

func TestApproveAsks(t *testing.T) {
	for answer, approved := range map[string]bool{
		"yes\n": true, "y\n": true, " YES \n": true, "no\n": false, "\n": false, "": false, "yes please\n": false,
	} {
		t.Run(answer, func(t *testing.T) {
			var out bytes.Buffer
			a := &app{environment: environment{Stdin: strings.NewReader(answer), Stderr: &out, StdinTerminal: true, StderrTerminal: true, Env: os.LookupEnv}}
			err := a.approve(t.Context(), &plan.Plan{}, "rmq", false)
			if (err == nil) != approved {
				t.Errorf("answer %q: %v", answer, err)
			}
			if !strings.Contains(out.String(), "cluster rmq") {
				t.Errorf("the question does not name the cluster: %q", out.String())
			}
		})
	}
}

func TestTheQuestionSaysWhatIsInterrupted(t *testing.T) {
	env := environment{Stdin: strings.NewReader("no\n"), StdinTerminal: true, StderrTerminal: true, Env: func(string) (string, bool) { return "1", true }} // NO_COLOR
	var all []plan.Step
	for i := range 14 {
		all = append(all, plan.Step{ID: plan.ID(fmt.Sprint("s", i)), Host: fmt.Sprint("node-", i), Disrupts: "restarts Docker", Why: "daemon.json differs"})
	}
	all = append(all, plan.Step{ID: "quiet"})
	var asked strings.Builder
	for _, steps := range [][]plan.Step{nil, all[13:], all} {
		var out bytes.Buffer
		env.Stderr, env.Stdin = &out, strings.NewReader("no\n")
		if err := (&app{environment: env}).approve(t.Context(), &plan.Plan{Steps: steps}, "rmq", false); err == nil {
			t.Error("a no was taken for a yes")
		}
		asked.WriteString(out.String() + "\n")
	}
	golden(t, "asked.txt", asked.String())
}

func TestTheQuestionCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readLine(ctx, neverAnswers{}); err == nil {
		t.Error("an interrupted question was answered")
	}
}

type neverAnswers struct{}

func (neverAnswers) Read([]byte) (int, error) { select {} }

func TestTheRefusalNamesTheSteps(t *testing.T) {
	a := &app{}
	p := &plan.Plan{Steps: []plan.Step{
		{ID: "host.node-1.docker"},
		{ID: "stack.rabbitmq.service.rabbitmq-01", Disrupts: "restarts rabbitmq-01", Why: "its image differs"},
	}}
	err := a.approve(t.Context(), p, "rmq", false)
	if err == nil {
		t.Fatal("a disruption was approved with nobody to ask")
	}
	for _, want := range []string{"stack.rabbitmq.service.rabbitmq-01: restarts rabbitmq-01 (its image differs)", "--yes", "nothing was changed"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal does not say %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "host.node-1.docker") {
		t.Errorf("the refusal names a step that hurts nothing:\n%v", err)
	}
}
