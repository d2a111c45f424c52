package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// fewer takes from a cluster of five members the last two.
func fewer(t *testing.T) (Want, state.Snapshot) {
	t.Helper()
	w := hostsNamed("a", "b", "c", "d", "e")
	w.Stacks[0].Hooks = append(w.Stacks[0].Hooks,
		playbooks.Hook{Moment: "on lost", Name: "forget", Exec: []string{"forget", "${slot.name}"}, On: playbooks.OnAnother},
		playbooks.Hook{Moment: playbooks.OnRisk, Name: "majority", Exec: []string{"ask", "${slot.name}"}, On: playbooks.OnSlot})
	got := formed(t, w)
	for host, volume := range map[string]string{"d": "db_db-04", "e": "db_db-05"} {
		got.Hosts[host].Engine.Value.Owners = map[string]string{volume: "rmq", "other": "rmq"}
	}
	db := &w.Stacks[0]
	db.Slots[0].Names, db.Services = db.Slots[0].Names[:3], db.Services[:3]
	return w, got
}

func TestMakeRetiresMembersInOrder(t *testing.T) {
	w, got := fewer(t)
	p, err := Make(w, got)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, s := range p.Steps {
		if strings.Contains(string(s.ID), "db-0") || strings.HasSuffix(string(s.ID), ".node") || s.ID == "stack.db.gate.formed" {
			order = append(order, string(s.ID))
		}
	}
	want := []string{
		"stack.db.before-stop.drain.db-05", "service.db_db-05", "stack.db.on-lost.forget.db-05", "host.e.volume.db_db-05",
		"stack.db.before-stop.drain.db-04", "service.db_db-04", "stack.db.on-lost.forget.db-04", "host.d.volume.db_db-04",
	}
	kept := slices.DeleteFunc(slices.Clone(order), func(id string) bool { return !slices.Contains(want, id) })
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Error(diff)
	}
	for id, before := range map[ID]ID{
		"service.db_db-05":                 "stack.db.before-stop.drain.db-05",
		"stack.db.on-lost.forget.db-05":    "service.db_db-05",
		"stack.db.before-stop.drain.db-04": "host.e.volume.db_db-05",
		"host.e.node":                      "stack.db.on-lost.forget.db-05",
		"stack.db.gate.formed":             "host.d.volume.db_db-04",
	} {
		if s, _ := p.Step(id); !slices.Contains(s.After, before) {
			t.Errorf("%s waits for %v, not for %s", id, s.After, before)
		}
	}
	if len(p.Disruptive()) != 4 {
		t.Errorf("nobody is asked: %v", p.Disruptive())
	}
	for _, id := range []ID{"stack.db.before-stop.drain.db-05", "service.db_db-05"} {
		s, _ := p.Step(id)
		if s.Guard == nil || len(s.Guard.Tasks) != 1 || s.Guard.Tasks[0].Slot != "db-05" {
			t.Errorf("%s is guarded by %+v", id, s.Guard)
		}
	}
}

// A run was killed when the member was stopped and not yet forgotten.
func TestMakeGoesOnRetiring(t *testing.T) {
	w, got := fewer(t)
	s := got.Swarm.Value
	s.Services = slices.DeleteFunc(s.Services, func(svc swarm.Service) bool { return svc.Spec.Name == "db_db-05" })
	p, err := Make(w, got)
	if err != nil {
		t.Fatal(err)
	}
	if _, again := p.Step("stack.db.before-stop.drain.db-05"); again {
		t.Error("a member that is gone is made ready to stop")
	}
	if _, forgets := p.Step("stack.db.on-lost.forget.db-05"); !forgets {
		t.Errorf("the member is never forgotten:\n%s", p.Graph())
	}
}

// The host of a member that is wanted no more is lost.
func TestMakeForgetsLostMembersThatAreWantedNoMore(t *testing.T) {
	w, got := fewer(t)
	w.Inventory.Hosts = w.Inventory.Hosts[:4]
	delete(got.Hosts, "e")
	last := &got.Swarm.Value.Nodes[4]
	last.Status.State, last.ManagerStatus = "down", nil
	p, err := Make(w, got)
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := p.Step("lost.e.node.node-e"); !slices.Contains(s.After, ID("stack.db.on-lost.forget.db-05")) {
		t.Errorf("its node is removed after %v", s.After)
	}
}
