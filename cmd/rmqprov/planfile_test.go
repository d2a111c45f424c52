package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

const small = `
cluster "rmq" {}
variable "rack" { default = "a" }
variable "password" {
  default   = ""
  sensitive = true
}
host "node-1" {
  address = "10.0.0.1"
  labels  = { rack = var.rack }
}
`

// laptop is an operator's machine with the small inventory.
func laptop(t *testing.T, inventory string, vars ...string) (*app, source, origin) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "prod.hcl")
	if err := os.WriteFile(file, []byte(inventory), 0o644); err != nil {
		t.Fatal(err)
	}
	a := &app{environment: environment{Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}, Env: noEnv, Version: "v1"}}
	s := source{file: file, vars: vars}
	_, from, err := a.loadFrom(s)
	if err != nil {
		t.Fatal(err, a.Stderr)
	}
	return a, s, from
}

func twoSteps() *plan.Plan {
	return &plan.Plan{Steps: []plan.Step{
		{ID: "host.node-1.node", Kind: plan.Update, Host: "node-1", Summary: "label the node", Why: "labels.rack is missing",
			Changes: []plan.Change{{Path: "labels.rack", After: "a"}, {Path: "limits.memory", Before: int64(1) << 60, After: nil}},
			Action:  plan.UpdateNode{Set: map[string]string{"rack": "a"}}},
		{ID: "stack.x.secret.cookie", Kind: plan.Create, Summary: "create secret x", Why: "not there", After: []plan.ID{"host.node-1.node"},
			Action: plan.CreateSecret{Secret: playbooks.Secret{Name: "cookie", Value: "hunter2"}}},
	}}
}

func TestASavedPlanHoldsUntilSomethingMoves(t *testing.T) {
	a, s, from := laptop(t, small, "rack=b", "password=hunter2")
	file := filepath.Join(t.TempDir(), "F.plan")
	if err := a.save(file, s, from, twoSteps()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if bytes.Contains(text, []byte("hunter2")) {
		t.Errorf("a secret is in the file:\n%s", text)
	}
	saved, err := readPlanFile(file)
	if err != nil || saved == nil {
		t.Fatal(saved, err)
	}
	back, err := saved.source(source{vars: []string{"password=hunter2"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := (source{file: s.file, vars: []string{"rack=b", "password=hunter2"}}); !cmp.Equal(want, back, cmp.AllowUnexported(source{})) {
		t.Errorf("source is %+v, want %+v", back, want)
	}
	for name, change := range map[string]struct {
		vars []string
		text string
		plan func(*plan.Plan)
		want []string // each in one of the differences; none: nothing has moved
	}{
		"nothing":         {},
		"the inventory":   {text: small + "\n# more", want: []string{"prod.hcl has changed"}},
		"a variable":      {vars: []string{"rack=c", "password=hunter2"}, want: []string{`variable rack was "b" and is "c"`}},
		"a sensitive one": {vars: []string{"rack=b", "password=hunter3"}, want: []string{"variable password, which is sensitive, has another value"}},
		"a step less":     {plan: func(p *plan.Plan) { p.Steps = p.Steps[:1] }, want: []string{"stack.x.secret.cookie is no longer needed: create secret x"}},
		"a step more": {plan: func(p *plan.Plan) {
			p.Steps = append(p.Steps, plan.Step{ID: "network.prod", Summary: "make it", Why: "gone"})
		}, want: []string{"network.prod is needed now: make it (gone)"}},
		"another step":        {plan: func(p *plan.Plan) { p.Steps[0].Changes[0].Before = "z" }, want: []string{"host.node-1.node has become another step"}},
		"another secret":      {plan: func(p *plan.Plan) { p.Steps[1].Action = plan.CreateSecret{} }, want: []string{"the steps read the same and do something else"}},
		"another order":       {plan: func(p *plan.Plan) { p.Steps[1].After = nil }, want: []string{"stack.x.secret.cookie has become another step"}},
		"a step and its file": {plan: func(p *plan.Plan) { p.Steps = nil }, want: []string{"host.node-1.node is no longer needed", "stack.x.secret.cookie is no longer needed"}},
	} {
		t.Run(name, func(t *testing.T) {
			now := s
			if change.vars != nil {
				now.vars = change.vars
			}
			if change.text != "" {
				if err := os.WriteFile(s.file, []byte(change.text), 0o644); err != nil {
					t.Fatal(err)
				}
				defer os.WriteFile(s.file, []byte(small), 0o644)
			}
			p := twoSteps()
			if change.plan != nil {
				change.plan(p)
			}
			_, from, err := a.loadFrom(now)
			if err != nil {
				t.Fatal(err)
			}
			differences, err := saved.inventoryMoved(from)
			world, err2 := saved.worldMoved(p)
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			differences = append(differences, world...)
			if len(differences) != len(change.want) {
				t.Fatalf("differences are %q, want %q", differences, change.want)
			}
			for i, want := range change.want {
				if !strings.Contains(differences[i], want) {
					t.Errorf("difference %q, want %q", differences[i], want)
				}
			}
		})
	}
}

func TestASavedPlanThatMoved(t *testing.T) {
	s := &savedPlan{file: "F.plan", Inventory: "/home/ann/prod.hcl", By: "ann@laptop", Version: "v1"}
	if err := s.moved(nil, "v2"); err != nil {
		t.Errorf("a plan that holds is refused: %v", err)
	}
	err := s.moved(strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12"), "v2")
	for _, want := range []string{"F.plan, of 0001-01-01T00:00:00Z by ann@laptop, no longer holds; nothing was touched", "\n  - 10\n  - and 2 more\n",
		"made by rmqprov v1, and this is v2", "→ make a new one: rmqprov plan /home/ann/prod.hcl --out F.plan"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
}

func TestAPlanTakesThePlaceOfAPlanOnly(t *testing.T) {
	a, s, from := laptop(t, small)
	if err := a.save(s.file, s, from, twoSteps()); err == nil || !strings.Contains(err.Error(), "is no plan; it stays as it is") {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(s.file); err != nil || string(text) != small {
		t.Errorf("the inventory reads %q, %v", text, err)
	}
	file := filepath.Join(t.TempDir(), "F.plan")
	for range 2 {
		if err := a.save(file, s, from, twoSteps()); err != nil {
			t.Error(err)
		}
	}
	if err := a.save(filepath.Join(t.TempDir(), "no", "F.plan"), s, from, twoSteps()); err == nil {
		t.Error("a folder that is not there takes a plan")
	}
	if names, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestReadPlanFile(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an inventory":    {small, ""},
		"nothing":         {"", ""},
		"other JSON":      {`{"steps":[]}`, ""},
		"half a plan":     {`{"rmqprov_plan": 1, "version": "v1"`, "is no whole plan"},
		"of another form": {`{"rmqprov_plan": 9, "version": "v9"}`, "is a plan of form 9, written by rmqprov v9"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "F")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := readPlanFile(file)
			if s != nil || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v, want %q", s, err, c.want)
			}
		})
	}
}

func TestLastNote(t *testing.T) {
	_, _, from := laptop(t, small)
	same := from.fingerprint()
	last := func(by, path, inventory string) provision.LastApply {
		return provision.LastApply{Time: "2026-11-24T08:00:00Z", By: by, Version: "v1", From: path, Inventory: inventory, Outcome: provision.RunDone}
	}
	destroyed := last("bob@desk", "/b.hcl", "other")
	destroyed.Verb = "destroy"
	replaced := last("bob@desk", "/b.hcl", same)
	replaced.Verb = "replace"
	killed := last("bob@desk", "/b.hcl", same)
	killed.Outcome = provision.RunBegun
	const head = "Last applied 2026-11-24T08:00:00Z by "
	for name, c := range map[string]struct {
		last provision.LastApply
		want string
	}{
		"never":                   {provision.LastApply{}, ""},
		"me, with this inventory": {last("ann@laptop", from.path, same), ""},
		"me, before an edit":      {last("ann@laptop", from.path, "other"), head + "ann@laptop with rmqprov v1, before this inventory was changed.\n"},
		"not known from what":     {last("bob@desk", "", ""), head + "bob@desk with rmqprov v1.\n"},
		"another, the same files": {last("bob@desk", "/b.hcl", same), head + "bob@desk with rmqprov v1, from this same inventory.\n"},
		"killed":                  {killed, head + "bob@desk with rmqprov v1 (it has not ended: it was killed, or is at work), from this same inventory.\n"},
		"a destroy":               {destroyed, "Last destroyed 2026-11-24T08:00:00Z by bob@desk with rmqprov v1, from another inventory than this: /b.hcl.\n"},
		"a replace":               {replaced, "A host was let go last 2026-11-24T08:00:00Z by bob@desk with rmqprov v1, from this same inventory.\n"},
		"another inventory": {last("bob@desk", "/b.hcl", "other"), head + "bob@desk with rmqprov v1, from another inventory than this: /b.hcl.\n" +
			"! This plan would undo what was made from that inventory, unless it drifted since: 1 step changes or takes away what stands\n" +
			"  (host.node-1.node). Compare the two inventories before you apply this one.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, lastNote(twoSteps(), c.last, "ann@laptop", from)); diff != "" {
				t.Error(diff)
			}
			if note := lastNote(&plan.Plan{}, c.last, "ann@laptop", from); note != "" {
				t.Errorf("an empty plan has the note %q", note)
			}
		})
	}
}

func TestTheFingerprintIsOfFilesAndOpenVariables(t *testing.T) {
	_, _, from := laptop(t, small, "password=one")
	for name, c := range map[string]struct {
		text string
		vars []string
		same bool
	}{
		"elsewhere, another password": {small, []string{"password=two"}, true},
		"another rack":                {small, []string{"rack=z"}, false},
		"other files":                 {small + "\n", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, other := laptop(t, c.text, c.vars...)
			if got := from.fingerprint() == other.fingerprint(); got != c.same {
				t.Errorf("the same: %v, want %v", got, c.same)
			}
		})
	}
}
