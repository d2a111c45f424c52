package plan

import (
	"testing"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// Every step that stops something looks at all majorities first.
func TestDisruptiveStepsAreGuarded(t *testing.T) {
	risk := playbooks.Hook{Moment: playbooks.OnRisk, Name: "majority", Exec: []string{"ask", "${slot.name}"}, On: playbooks.OnSlot}
	tests := map[string]func(w *Want, got state.Snapshot) (*Plan, error){
		"a roll": func(w *Want, got state.Snapshot) (*Plan, error) {
			setEnv(*w, 0)
			return Make(*w, got)
		},
		"a restart of Docker": func(w *Want, got state.Snapshot) (*Plan, error) {
			w.Inventory.Docker.LogMaxSize = "10m"
			return Make(*w, got)
		},
		"a file that Docker is restarted for": func(w *Want, got state.Snapshot) (*Plan, error) {
			w.Inventory.Files = []inventory.File{{Path: "/etc/x", Content: []byte("x"), Mode: 0o644, Restart: []string{"docker"}}}
			return Make(*w, got)
		},
		"a host that leaves": func(w *Want, got state.Snapshot) (*Plan, error) { return Leave(*w, got, "b") },
		"a host that reboots": func(w *Want, got state.Snapshot) (*Plan, error) {
			return Reboot(*w, got, "b")
		},
	}
	for name, makePlan := range tests {
		t.Run(name, func(t *testing.T) {
			w := hostsNamed("a", "b", "c")
			w.Stacks[0].Hooks = append(w.Stacks[0].Hooks, risk)
			got := formed(t, w)
			p, err := makePlan(&w, got)
			if err != nil {
				t.Fatal(err)
			}
			disruptive := p.Disruptive()
			for _, s := range disruptive {
				if s.Guard == nil || len(s.Guard.Tasks) != 1 {
					t.Errorf("%s is guarded by %+v", s.ID, s.Guard)
				}
			}
			if len(disruptive) == 0 {
				t.Errorf("nothing is stopped:\n%s", p.Graph())
			}
			w.ForceQuorumLoss = true
			if p, err = makePlan(&w, got); err != nil {
				t.Fatal(err)
			}
			for _, s := range p.Disruptive() {
				if s.Guard != nil {
					t.Errorf("%s is guarded though --force-quorum-loss is given", s.ID)
				}
			}
		})
	}
}

func TestForcedGoesOnWithoutAMajority(t *testing.T) {
	w := hostsNamed("a", "b", "c")
	got := formed(t, w)
	lose(got, "c", false)
	setEnv(w, 0)
	p, err := Make(w, got)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Disruptive()) != 0 {
		t.Errorf("a majority is given up:\n%s", p.Graph())
	}
	w.ForceQuorumLoss = true
	if p, err = Make(w, got); err != nil {
		t.Fatal(err)
	}
	drain, _ := p.Step("stack.db.before-stop.drain.db-01")
	if a, ok := drain.Action.(RunCommand); !ok || !a.Forced || len(p.Disruptive()) != 2 {
		t.Errorf("it is not forced:\n%s", p.Graph())
	}
}
