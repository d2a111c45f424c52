package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// broken is a run in which installing Docker on node-2 failed.
func broken() result {
	docker := plan.Step{ID: "host.node-1.docker", Host: "node-1", Summary: "install Docker", Why: "docker not installed"}
	failed := plan.Step{ID: "host.node-2.docker", Host: "node-2", Summary: "install Docker", Why: "docker not installed"}
	outcomes := []provision.Outcome{
		{Step: docker, Kind: provision.Done, Took: 11 * time.Second},
		{Step: failed, Kind: provision.Failed, Took: 13 * time.Second, Err: errors.New("node-2: apt-get install: exit status 100: E: Unable to fetch\nE: no route to host")},
	}
	for _, id := range strings.Fields("swarm gate-1 gate-2 gate-3 gate-4 gate-5 gate-6 gate-7 gate-8 gate-9") {
		s := plan.Step{ID: plan.ID("stack.x." + id), Summary: "do " + id}
		outcomes = append(outcomes, provision.Outcome{Step: s, Kind: provision.Skipped, Because: failed.ID})
	}
	return result{Report: provision.Report{Outcomes: outcomes, Took: 14 * time.Second}}
}

func TestExplainFailure(t *testing.T) {
	stopped := result{stopped: true, Report: provision.Report{Outcomes: []provision.Outcome{
		{Step: plan.Step{ID: "host.node-1.docker", Host: "node-1"}, Kind: provision.Done},
		{Step: plan.Step{ID: "swarm.init", Summary: "start the swarm"}, Kind: provision.Skipped},
	}}}
	golden(t, "failure.txt", explainFailure(broken(), "rmqprov apply prod.hcl"))
	golden(t, "stopped.txt", explainFailure(stopped, "rmqprov apply prod.hcl"))
}

func TestLastLines(t *testing.T) {
	got := lastLines("1\n2\n3\n4\n", 2)
	if want := "(2 lines before)|3|4"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func sample() summary {
	return summary{
		file: "prod.hcl", took: 41200 * time.Millisecond, connections: map[string]int{"node-1": 1, "node-2": 1},
		want: plan.Want{
			Inventory: &inventory.Inventory{Hosts: []inventory.Host{{Name: "node-1", Address: "10.78.0.11"}, {Name: "node-2", Address: "fd00::12"}}},
			Stacks: []playbooks.Stack{{Name: "consul", Consoles: []playbooks.Console{{Name: "ui", Port: 8500, Path: "/ui/"}}}, {
				Name:     "haproxy",
				Ports:    []playbooks.Port{{Name: "amqp", Number: 5672, From: "clients", Note: "AMQP"}, {Name: "peers", Number: 25672, From: "hosts"}},
				Consoles: []playbooks.Console{{Name: "stats", Port: 8404, Path: "/", User: "admin", Secret: "stats_password"}},
			}, {
				Name: "monitoring", Ports: []playbooks.Port{{Name: "push", Number: 9091, From: "clients", Note: "on one host"}},
				Consoles: []playbooks.Console{{Name: "prometheus", Port: 9090}},
			}},
		},
		where: whereabouts{9090: {"node-2"}, 9091: {"node-2"}},
		result: result{
			Report: provision.Report{Outcomes: []provision.Outcome{{Kind: provision.Done}}},
			parts: []part{
				{name: "docker", from: 100 * time.Millisecond, to: 11300 * time.Millisecond},
				{name: "stack haproxy", from: 12 * time.Second, to: 40 * time.Second},
			},
		},
	}
}

func TestSummary(t *testing.T) {
	var out bytes.Buffer
	if err := sample().write(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, "summary.txt", out.String())
}

func TestTheSummaryOfAFailureNamesNoAddresses(t *testing.T) {
	s := sample()
	s.result = broken()
	var out bytes.Buffer
	if err := s.write(&out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, "10.78.0.11") || !strings.Contains(text, "1 failed") {
		t.Errorf("summary of a failed run:\n%s", text)
	}
}

func TestOutcomeIsTheExitStatus(t *testing.T) {
	stopped := broken()
	stopped.stopped = true
	for _, c := range []struct {
		name string
		r    result
		want int
	}{
		{"all done", result{}, statusDone},
		{"all done though interrupted", result{stopped: true}, statusDone},
		{"failed", broken(), statusFailed},
		{"interrupted", stopped, statusInterrupted},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &app{environment: environment{Stderr: &bytes.Buffer{}}}
			if got := a.status(t.Context(), a.outcome(t.Context(), c.r, "rmqprov apply prod.hcl")); got != c.want {
				t.Errorf("exit status %d, want %d", got, c.want)
			}
		})
	}
}

func TestTheStopwatchTakesThePartsTime(t *testing.T) {
	p := &plan.Plan{Steps: []plan.Step{
		{ID: "host.a.docker", Action: plan.InstallDocker{}}, {ID: "host.b.docker", Action: plan.StartDocker{}},
		{ID: "stack.x.service.y", Action: plan.CreateService{}},
	}}
	w := newStopwatch(p)
	tell := func(second int, kind provision.EventKind, step plan.ID) {
		w.event(provision.Event{Time: w.began.Add(time.Duration(second) * time.Second), Kind: kind, Step: step})
	}
	tell(1, provision.Started, "host.b.docker")
	tell(2, provision.Started, "host.a.docker")
	tell(3, provision.Done, "host.b.docker")
	tell(4, provision.Started, "stack.x.service.y")
	tell(5, provision.Failed, "host.a.docker")
	tell(9, provision.Done, "stack.x.service.y")
	tell(10, provision.Skipped, "host.a.docker")
	want := []part{{"docker", time.Second, 5 * time.Second}, {"stack x", 4 * time.Second, 9 * time.Second}}
	if got := w.parts(); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheFirstInterruptIsGentle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal)
		ctx, i := watch(signals)
		defer i.end()
		told := 0
		i.gently(func() { told++ })
		signals <- os.Interrupt
		synctest.Wait()
		if told != 1 || ctx.Err() != nil {
			t.Errorf("after the first: told %d times, context %v", told, ctx.Err())
		}
		signals <- syscall.SIGTERM
		synctest.Wait()
		if told != 1 || !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("after the second: told %d times, context %v", told, ctx.Err())
		}
	})
}

// TestAnInterruptedApplyEndsWhatIsAtWork stands in for the engine: one step is
// at work when the interrupt comes, and another has not begun.
func TestAnInterruptedApplyEndsWhatIsAtWork(t *testing.T) {
	p := &plan.Plan{Steps: []plan.Step{{ID: "host.a.docker", Host: "a", Action: plan.InstallDocker{}}, {ID: "swarm.init"}}}
	signals := make(chan os.Signal)
	ctx, stop := watch(signals)
	defer stop.end()
	var out, errs bytes.Buffer
	a := &app{environment: environment{Stdout: &out, Stderr: &errs, Env: noEnv}, stop: stop}
	r := a.carryOut(ctx, func(ctx context.Context, p *plan.Plan, stop <-chan struct{}, emit func(provision.Event)) provision.Report {
		emit(provision.Event{Time: time.Now(), Kind: provision.Started, Step: "host.a.docker", Host: "a"})
		signals <- os.Interrupt
		select {
		case <-stop:
		case <-ctx.Done():
			t.Error("the first interrupt broke off what was at work")
		}
		return provision.Report{Outcomes: []provision.Outcome{{Step: p.Steps[0], Kind: provision.Done}, {Step: p.Steps[1], Kind: provision.Skipped}}}
	}, p, false)
	if got := a.status(ctx, a.outcome(ctx, r, "rmqprov apply prod.hcl")); got != statusInterrupted {
		t.Errorf("exit status %d, want %d", got, statusInterrupted)
	}
	for _, want := range []string{"Interrupted: no new steps begin", "because the run was stopped: 1 step", "goes on from here"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("stderr does not say %q:\n%s", want, errs.String())
		}
	}
}

func noEnv(string) (string, bool) { return "", false }

func TestApplyJSONWritesNothingButEvents(t *testing.T) {
	var out, errs bytes.Buffer
	ctx, stop := watch(nil)
	defer stop.end()
	a := &app{environment: environment{Stdout: &out, Stderr: &errs, Env: noEnv}, stop: stop}
	a.carryOut(ctx, func(_ context.Context, _ *plan.Plan, _ <-chan struct{}, emit func(provision.Event)) provision.Report {
		emit(provision.Event{Time: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), Kind: provision.Summary, Elapsed: time.Second, Message: "nothing <to> do"})
		return provision.Report{}
	}, &plan.Plan{}, true)
	want := `{"time":"2026-11-24T08:00:00Z","event":"summary","step":"","host":"","elapsed_ms":1000,"message":"nothing <to> do"}` + "\n"
	if out.String() != want || errs.Len() > 0 {
		t.Errorf("stdout %q, want %q; stderr %q", out.String(), want, errs.String())
	}
}
