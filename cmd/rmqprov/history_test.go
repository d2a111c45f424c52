package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

func runs() []provision.Run {
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	done := provision.Run{ID: "aa", Verb: "apply", Began: at, By: "ann@laptop", From: "/home/ann/prod.hcl", Version: "v1", Outcome: provision.RunDone, TookMS: 41200,
		Counts: map[provision.EventKind]int{provision.Done: 11}}
	for i := range 10 {
		done.Steps = append(done.Steps, provision.StepRecord{ID: plan.ID(fmt.Sprintf("host.node-%d.docker", i)), Action: plan.Create, Summary: "install Docker", Outcome: provision.Done})
	}
	done.Steps = append(done.Steps, provision.StepRecord{ID: "stack.x.gate.formed", Action: plan.Run, Summary: "wait for gate formed", Outcome: provision.Done})
	failed := provision.Run{ID: "bb", Verb: "destroy", Began: at.Add(time.Hour), By: "bob@desk", From: "/srv/b.hcl", Version: "v2", Outcome: provision.RunFailed, TookMS: 900, LeftOut: 3,
		Counts: map[provision.EventKind]int{provision.Failed: 2, provision.Skipped: 4}, Steps: []provision.StepRecord{
			{ID: "stack.x.gate.formed", Action: plan.Run, Summary: "wait for gate formed", Outcome: provision.Failed, Error: "exit status 1"},
			{ID: "network.prod", Action: plan.Delete, Summary: "remove overlay network prod", Outcome: provision.Failed, Error: "in use"},
			{ID: "host.node-1.swarm", Action: plan.Delete, Summary: "leave the swarm", Outcome: provision.Skipped},
		}}
	killed := provision.Run{ID: "cc", Verb: "apply", Began: at.Add(2 * time.Hour), By: "ann@laptop", From: "/home/ann/prod.hcl", Version: "v1", Outcome: provision.RunBegun,
		Counts: map[provision.EventKind]int{provision.Planned: 1}, Steps: []provision.StepRecord{
			{ID: "network.prod", Action: plan.Create, Summary: "create overlay network prod", Outcome: provision.Planned},
		}}
	return []provision.Run{done, failed, killed}
}

func TestHistoryForPeople(t *testing.T) {
	var out bytes.Buffer
	a := &app{environment: environment{Stdout: &out}}
	for _, h := range []provision.History{{Runs: runs()}, {}} {
		if err := a.printHistory(h, false); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "history.txt", out.String())
}

func TestHistoryForPrograms(t *testing.T) {
	for _, want := range [][]provision.Run{runs(), nil} {
		var out bytes.Buffer
		a := &app{environment: environment{Stdout: &out}}
		if err := a.printHistory(provision.History{Runs: want}, true); err != nil {
			t.Fatal(err)
		}
		var got struct{ Runs []map[string]any }
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Runs == nil || len(got.Runs) != len(want) {
			t.Fatalf("%v in %s", err, out.String())
		}
		for i, run := range got.Runs {
			if run["run"] != want[i].ID || run["outcome"] != string(want[i].Outcome) || run["by"] != want[i].By {
				t.Errorf("run %d is %v", i, run)
			}
		}
	}
}

func TestAHistoryWithGapsIsTold(t *testing.T) {
	h := provision.History{Unread: []provision.Unreadable{{Host: "node-2", Err: errors.New("no answer")}}}
	var errs bytes.Buffer
	a := &app{environment: environment{Stderr: &errs}}
	if err := a.historyGaps(h, 3); err != nil || !strings.Contains(errs.String(), "warning: the history that node-2 keeps could not be read: no answer") {
		t.Errorf("%v, stderr %q", err, errs.String())
	}
	if err := a.historyGaps(h, 1); err == nil {
		t.Error("no history at all is no error")
	}
}
