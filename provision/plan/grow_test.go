package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// Members that are new, or made anew, have their share of the queues before one that runs is stopped
// for a change that is made by the same run. Until then a queue would lose its majority with that one.
func TestMakeGivesNewMembersTheirShareBeforeItRolls(t *testing.T) {
	tests := map[string]struct {
		change  func(w *Want, got *state.Snapshot)
		joined  []string // slots
		changed []string // slots, in the order of their change
	}{
		"a host was lost, and a setting changed": {
			change: func(w *Want, got *state.Snapshot) {
				replaceHost(w, got, "b", "d")
				setEnv(*w, 0)
			},
			joined: []string{"db-02"}, changed: []string{"db-01", "db-02", "db-03"},
		},
		"a host was lost, and the image changed": {
			change: func(w *Want, got *state.Snapshot) {
				replaceHost(w, got, "a", "d")
				setImage(w, "db:2")
			},
			joined: []string{"db-01"}, changed: []string{"db-01", "db-02", "db-03"},
		},
		"that run was killed when the lost one was replaced": {
			change: func(w *Want, got *state.Snapshot) {
				setEnv(*w, 0)
				clearRecord(got)
			},
			joined: []string{"db-01", "db-02", "db-03"}, changed: []string{"db-01", "db-02", "db-03"},
		},
		"more members are wanted, and a setting changed": {
			change: func(w *Want, got *state.Snapshot) {
				moreMembers(w, got, "d", "e")
				setEnv(*w, 0)
			},
			joined: []string{"db-04", "db-05"}, changed: []string{"db-01", "db-02", "db-03"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := hostsNamed("a", "b", "c")
			w.AllowUnreachable = false
			w.Stacks[0].Hooks = append(w.Stacks[0].Hooks,
				playbooks.Hook{Moment: "on lost", Name: "forget", Exec: []string{"forget"}, On: playbooks.OnAnother},
				playbooks.Hook{Moment: "after join", Name: "grow", Exec: []string{"grow"}, On: playbooks.OnSlot})
			got := formed(t, w)
			test.change(&w, &got)
			p := mustMake(t, w, got)
			checkOrder(t, p, test.joined, test.changed)
		})
	}
}

// checkOrder wants each member that joined to be given its share first, and then the members to change
// one after the other, each up again before the next one is drained.
func checkOrder(t *testing.T, p *Plan, joined, changed []string) {
	t.Helper()
	var want []ID
	for _, slot := range joined {
		want = append(want, ID("stack.db.after-join.grow."+slot))
	}
	want = append(want, "stack.db.gate.formed.before")
	for _, slot := range changed {
		gate := ID("stack.db.gate.started." + slot)
		if slices.Contains(joined, slot) {
			gate += ".again"
		}
		want = append(want, ID("stack.db.before-stop.drain."+slot), ID("stack.db.service."+slot), gate, ID("stack.db.gate.formed."+slot))
	}
	for i, id := range want[len(joined):] {
		for _, before := range want[:len(joined)+i] {
			if !waitsFor(p, id, before) {
				t.Errorf("%s does not wait for %s:\n%s", id, before, p.Graph())
			}
		}
	}
}

// waitsFor says that a step waits for another, by itself or through what it waits for.
func waitsFor(p *Plan, id, before ID) bool {
	s, ok := p.Step(id)
	return ok && (slices.Contains(s.After, before) || slices.ContainsFunc(s.After, func(a ID) bool { return waitsFor(p, a, before) }))
}

// replaceHost lets a host be lost, and puts a bare one in its place.
func replaceHost(w *Want, got *state.Snapshot, lost, by string) {
	i := slices.IndexFunc(w.Inventory.Hosts, func(h inventory.Host) bool { return h.Name == lost })
	lose(*got, lost, false)
	delete(got.Hosts, lost)
	w.Inventory.Hosts[i] = inventory.Host{Name: by, Address: "192.0.2.44", Role: "manager"}
	got.Hosts[by] = bare(*w).Hosts[by]
}

// moreMembers asks for a member more on each of these hosts, which are bare.
func moreMembers(w *Want, got *state.Snapshot, hosts ...string) {
	names := []string{"a", "b", "c"}
	more := hostsNamed(append(names, hosts...)...)
	w.Inventory.Hosts = more.Inventory.Hosts
	w.Stacks[0].Slots, w.Stacks[0].Services = more.Stacks[0].Slots, more.Stacks[0].Services
	for _, h := range hosts {
		got.Hosts[h] = bare(*w).Hosts[h]
	}
}

func setImage(w *Want, image string) {
	for i := range w.Stacks[0].Services {
		w.Stacks[0].Services[i].Spec.TaskTemplate.ContainerSpec.Image = image
	}
}

// clearRecord makes the stack one whose gates have not held since it was changed.
func clearRecord(got *state.Snapshot) {
	i := slices.IndexFunc(got.Swarm.Value.Configs, func(c swarm.Config) bool { return strings.HasSuffix(c.Spec.Name, "-db") })
	got.Swarm.Value.Configs[i].Spec.Labels[HashLabel] = ""
}
