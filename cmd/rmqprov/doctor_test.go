package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/cloud"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/preflight"
	"github.com/rmqprov/rmqprov/provision/state"
)

func TestExamineMachine(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	private, open := file("private", 0o600), file("open", 0o644)
	socket := filepath.Join(dir, "agent")
	agent, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	tests := map[string]struct {
		keys  []string
		agent string
		want  []verdict
		text  string
	}{
		"a key":                 {[]string{private, private}, "", []verdict{well}, "key " + private},
		"a key that is missing": {[]string{private + "x"}, "", []verdict{wrong}, "is not there"},
		"a key for all to read": {[]string{private, open}, "", []verdict{well, wrong}, "mode 0644"},
		"an agent":              {nil, socket, []verdict{well}, "ssh-agent answers"},
		"a dead agent":          {nil, socket + "x", []verdict{wrong}, "does not answer"},
		"nothing":               {nil, "", []verdict{note}, "no ssh-agent runs"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inv := &inventory.Inventory{}
			for _, k := range tt.keys {
				inv.Hosts = append(inv.Hosts, inventory.Host{Identity: k})
			}
			var got []verdict
			found := examineMachine(inv, tt.agent)
			for _, f := range found {
				got = append(got, f.verdict)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || !strings.Contains(found[len(found)-1].text, tt.text) {
				t.Errorf("%s\nfound %v", diff, found)
			}
		})
	}
}

func TestExamineMachineThatNeedsNoKey(t *testing.T) {
	inv := &inventory.Inventory{SSH: inventory.SSH{InstanceConnect: true, Identity: "/no/such/key"}}
	if found := examineMachine(inv, ""); len(found) != 1 || found[0].verdict != well || !strings.Contains(found[0].text, "EC2 Instance Connect") {
		t.Errorf("found %v", found)
	}
}

func TestExamineClockBlamesThisMachineWhereAllHostsAgree(t *testing.T) {
	tests := map[string]struct {
		skews []time.Duration
		want  int
	}{
		"right":            {[]time.Duration{0, time.Second}, 0},
		"this one is off":  {[]time.Duration{-time.Minute, -61 * time.Second}, 1},
		"one host is off":  {[]time.Duration{0, time.Minute}, 0},
		"hosts disagree":   {[]time.Duration{time.Minute, 5 * time.Minute}, 0},
		"only one to hear": {[]time.Duration{time.Minute}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := state.Snapshot{Hosts: map[string]state.Host{}}
			for i, skew := range tt.skews {
				got.Hosts[string(rune('a'+i))] = state.Host{Facts: state.Known[state.Facts]{Value: state.Facts{Skew: skew}}}
			}
			if found := examineClock(got); len(found) != tt.want {
				t.Errorf("found %v", found)
			}
		})
	}
}

func TestWriteFindings(t *testing.T) {
	check := plan.Preflight{In: make([]plan.Way, 2), Packet: 1500}
	findings := []finding{{here, well, "key k", ""}}
	findings = append(findings, refusals(plan.Refused{{Host: "", Reason: "no range is free", Fix: "choose one"}, {Host: "b", Reason: "small"}}, "")...)
	findings = append(findings, examineReport("a", check, preflight.Report{Notes: []string{"look"}}, nil)...)
	findings = append(findings, examineReport("b", check, preflight.Report{Problems: []preflight.Problem{{Reason: "closed", Fix: "open it"}}}, nil)...)
	findings = append(findings, examineReport("c", check, preflight.Report{}, errors.New("cut off"))...)
	findings = slices.Insert(findings, 1, rightsFound([]cloud.Right{{Action: "ec2:A"}, {Action: "ec2:B"},
		{Action: "ec2:C", Err: &cloud.Denied{Action: "ec2:CreateTags"}}, {Action: "ec2:D", Err: errors.New("cut off")}})...)
	want := `this machine
  ok     key k
AWS
  ok     these credentials may do ec2:A, ec2:B
  WRONG  these credentials may not do ec2:CreateTags
         → docs/ec2.md has the policy with all that rmqprov needs
  note   whether ec2:D is allowed could not be told: cut off
the cluster
  WRONG  no range is free
         → choose one
a
  ok     reached from 2 other hosts, with packets of 1500 bytes
  note   look
b
  WRONG  closed
         → open it
c
  WRONG  how it is reached could not be tried: cut off

4 things are wrong.
`
	var got bytes.Buffer
	if err := writeFindings(&got, findings); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}
