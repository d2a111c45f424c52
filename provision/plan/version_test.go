package plan

import (
	"strings"
	"testing"

	"github.com/rmqprov/rmqprov/playbooks"
)

func TestMakeChecksVersions(t *testing.T) {
	rules := playbooks.Versions{Series: 2, Paths: map[string][]string{
		"3.10": {"3.11"}, "3.11.18": {"3.12"}, "3.12": {"3.13"}, "3.13": {"4.0", "4.1"}, "4.0": {"4.1"},
	}}
	tests := []struct {
		name, from, to string
		refused, note  string
	}{
		{"the next series", "db:3.12.1", "db:3.13.0", "", ""},
		{"a series that may be left out", "db:3.13.7-management", "registry:5000/db:4.1-alpine", "", ""},
		{"a newer patch", "db:4.0.5", "db:4.0.6", "", ""},
		{"a tag that follows the patches", "db:4.0.5", "db:4.0", "", ""},
		{"another form of the same version", "db:4.0.5", "db:4.0.5-management", "", ""},
		{"too far", "db:3.10.8", "db:4.0.5",
			"db_db-01 runs 3.10.8, and 4.0.5 is wanted: that is too far at once\n    → change the image to each of these in turn, and apply: 3.11, then 3.12, then 3.13, then 4.0", ""},
		{"too old a patch", "db:3.11.2", "db:3.12.0", "apply: 3.11.18 or later, then 3.12", ""},
		{"a patch that is new enough", "db:3.11.18", "db:3.12.0", "", ""},
		{"a patch that is not told", "db:3.11", "db:3.12", "", ""},
		{"an older series", "db:4.1.0", "db:4.0.5", "that is a downgrade", ""},
		{"an older patch", "db:4.0.5", "db:4.0.2", "that is a downgrade", ""},
		{"a series that nothing leads to", "db:3.13", "db:5.0", "the playbook knows no way there\n    → it knows the way to 4.1", ""},
		{"beyond the newest that is known", "db:4.1", "db:4.2", "", "the playbook does not know how to go from 4.1 to 4.2"},
		{"latest", "db:4.1", "db:latest", "", "the version of db:4.1 or of db:latest does not show in its tag"},
		{"a digest", "db@sha256:00", "db:4.1", "", "does not show in its tag"},
		{"another system's image, put there by hand", "cache:8.0", "db:4.1", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := threeHosts()
			w.Stacks[0].Versions = rules
			for i := range w.Stacks[0].Services {
				w.Stacks[0].Services[i].Spec.TaskTemplate.ContainerSpec.Image = tt.from
			}
			got := built(t, w)
			for i := range w.Stacks[0].Services {
				w.Stacks[0].Services[i].Spec.TaskTemplate.ContainerSpec.Image = tt.to
			}
			p, err := Make(w, got)
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) || strings.Count(err.Error(), "stack") != 1 {
					t.Errorf("got %v, want one refusal with %q", err, tt.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if notes := strings.Join(p.Notes, "\n"); !strings.Contains(notes, tt.note) || tt.note == "" && notes != "" {
				t.Errorf("the notes are %q, want %q", notes, tt.note)
			}
		})
	}
}

func TestMakeReadiesForAnUpgrade(t *testing.T) {
	w := threeHosts()
	w.Stacks[0].Hooks = append(w.Stacks[0].Hooks, playbooks.Hook{Moment: "before upgrade", Name: "flags", Exec: []string{"flags"}, On: playbooks.OnOne})
	got := built(t, w)
	for i := range w.Stacks[0].Services {
		w.Stacks[0].Services[i].Spec.TaskTemplate.ContainerSpec.Env = []string{"A=2"}
	}
	if text := mustMake(t, w, got).Graph(); strings.Contains(text, "before-upgrade") {
		t.Errorf("another setting is no upgrade:\n%s", text)
	}
	w.Stacks[0].Services[0].Spec.TaskTemplate.ContainerSpec.Image = "db:2"
	text := mustMake(t, w, got).Graph()
	for _, want := range []string{
		"stack.db.before-upgrade.flags ← stack.db.begin, stack.db.gate.formed.before : before upgrade of db\n",
		"stack.db.before-stop.drain.db-01 ← host.a.image.db:2, stack.db.before-upgrade.flags, stack.db.begin, stack.db.gate.formed.before :",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %s in\n%s", want, text)
		}
	}
}
