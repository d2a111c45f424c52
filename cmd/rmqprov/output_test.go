package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision"
)

// TestColourOnlyOnATerminal looks at one and the same mistake from different
// terminals.
func TestColourOnlyOnATerminal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.hcl")
	if err := os.WriteFile(file, []byte(`host "node-1" {}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		terminal bool
		env      map[string]string
		args     []string
		want     bool
	}{
		{"a terminal", true, map[string]string{"TERM": "xterm"}, nil, true},
		{"a pipe", false, map[string]string{"TERM": "xterm"}, nil, false},
		{"NO_COLOR", true, map[string]string{"NO_COLOR": "1"}, nil, false},
		{"an empty NO_COLOR", true, map[string]string{"NO_COLOR": ""}, nil, true},
		{"a dumb terminal", true, map[string]string{"TERM": "dumb"}, nil, false},
		{"--no-color", true, nil, []string{"--no-color"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			status := run(environment{
				Args: append([]string{"validate", file}, c.args...), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
				Env:            func(name string) (string, bool) { v, ok := c.env[name]; return v, ok },
				StderrTerminal: c.terminal, StdoutTerminal: c.terminal, Size: func() (int, int, error) { return 80, 24, nil },
			})
			if status != statusFailed || out.Len() > 0 {
				t.Errorf("exit status %d, stdout %q", status, out.String())
			}
			if got := strings.Contains(errs.String(), "\x1b["); got != c.want {
				t.Errorf("colour: %v, want %v:\n%s", got, c.want, errs.String())
			}
		})
	}
}

func TestColourPlanKeepsTheText(t *testing.T) {
	text := "+ host.a.docker  install  (not there)\n      ! restarts a\n~ b  - c\nPlan: 1 to create.\n"
	got := colourPlan(text)
	want := "\x1b[32m+\x1b[0m host.a.docker  install  (not there)\n\x1b[1;31m      ! restarts a\x1b[0m\n\x1b[33m~\x1b[0m b  - c\nPlan: 1 to create.\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// unwell is the status of a cluster that has lost a host.
func unwell() provision.Status {
	return provision.Status{
		Hosts: []provision.HostStatus{
			{Name: "node-1", Address: "10.78.0.11", OS: "Debian GNU/Linux 13", Docker: "26.1.5",
				Swarm: provision.SwarmStatus{Role: "manager", State: "ready", Leader: true}, Slots: []string{"rabbitmq-01"}},
			{Name: "node-2", Address: "10.78.0.12", Swarm: provision.SwarmStatus{State: "absent"}, Error: "no answer in time"},
		},
		Stacks: []provision.StackStatus{{
			Name:     "rabbitmq",
			Services: []provision.ServiceStatus{{Name: "rabbitmq_rabbitmq-01", Running: 1, Desired: 1, Image: "rabbitmq:4.0.5"}},
			Gates:    []provision.GateStatus{{Name: "formed", OK: true, Detail: "all members see all"}, {Name: "alarms", Detail: "exit status 1:\ndisk alarm"}},
		}},
		Drift:     []string{"no plan is made:\n  - host node-2: could not be observed"},
		LastApply: provision.LastApply{Time: "2026-11-24T08:00:00Z", By: "ann@laptop", Version: "v1.0.0"},
	}
}

func TestWriteStatus(t *testing.T) {
	st := unwell()
	var out bytes.Buffer
	if err := writeStatus(&out, st); err != nil {
		t.Fatal(err)
	}
	st.Healthy, st.Drift, st.LastApply = true, nil, provision.LastApply{}
	st.Hosts, st.Stacks = st.Hosts[:1], nil
	if err := writeStatus(&out, st); err != nil {
		t.Fatal(err)
	}
	golden(t, "status.txt", out.String())
}

func TestWriteChecks(t *testing.T) {
	checks := []provision.Check{
		{Stack: "rabbitmq", Name: "formed", OK: true, Detail: "all members see all"},
		{Stack: "haproxy", Name: "message", Host: "node-1", Detail: "AMQP to port 5672 on node-1: EOF"},
	}
	var out bytes.Buffer
	for _, c := range [][]provision.Check{checks, checks[:1], nil} {
		if err := writeChecks(&out, c); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeChecksJSON(&out, checks); err != nil {
		t.Fatal(err)
	}
	golden(t, "checks.txt", out.String())
}

func TestNoCheckProvesNothing(t *testing.T) {
	if hold(nil) {
		t.Error("no check at all was taken for a proof")
	}
}

func TestFindSecret(t *testing.T) {
	stacks := []playbooks.Stack{
		{Name: "rabbitmq", Secrets: []playbooks.Secret{{Name: "password"}, {Name: "cookie"}}},
		{Name: "redis", Secrets: []playbooks.Secret{{Name: "password"}}},
	}
	for name, want := range map[string]string{
		"rabbitmq/password": "rabbitmq/password",
		"cookie":            "rabbitmq/cookie",
		"password":          "several stacks have a secret password\n→ say which: rabbitmq/password, redis/password",
		"redis/cookie":      "there is no secret redis/cookie\n→ these are there: rabbitmq/password, rabbitmq/cookie, redis/password",
	} {
		stack, secret, err := findSecret(stacks, name)
		got := stack.Name + "/" + secret.Name
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
