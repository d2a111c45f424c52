package plan

import (
	"testing"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/state"
)

// A slot that came free goes to a host that is in the swarm, not to one that
// must be built first and happens to be named before it.
func TestAFreeSlotGoesToAHostThatIsThere(t *testing.T) {
	w := threeHosts()
	got := built(t, w)
	fresh := inventory.Host{Name: "0", Address: "192.0.2.9", Zone: "z1"}
	spare := inventory.Host{Name: "d", Address: "192.0.2.8", Zone: "z1"}
	w.Inventory.Hosts = []inventory.Host{fresh, w.Inventory.Hosts[0], w.Inventory.Hosts[2], spare}
	for name, h := range bare(w).Hosts {
		if name == fresh.Name || name == spare.Name {
			got.Hosts[name] = h
		}
	}
	d := got.Hosts["d"]
	d.Engine.Value = &state.Engine{Version: "26.1.5", NodeID: "node-d", SwarmState: "active"}
	got.Hosts["d"] = d
	delete(got.Hosts, "b")
	s := got.Swarm.Value
	s.Nodes[1].Status.State = swarm.NodeStateDown
	s.Nodes = append(s.Nodes, swarm.Node{ID: "node-d", Status: swarm.NodeStatus{State: swarm.NodeStateReady}})
	if holder := slotHolder(w, got); holder != "d" {
		t.Errorf("db-02 goes to %s, not to the host that is there", holder)
	}
	w.Inventory.Hosts[3].Zone = ""
	if holder := slotHolder(w, got); holder != "0" {
		t.Errorf("db-02 goes to %s, into a zone with members, and not to one without", holder)
	}
}

// slotHolder is the host that is to hold db-02.
func slotHolder(w Want, got state.Snapshot) string {
	b := newBuilder(w, got)
	b.assignSlots()
	return b.slots["db-02"]
}

// Where a host stands and what it is are labels of its node, for placement.
func TestZoneAndTypeAreLabels(t *testing.T) {
	w := threeHosts()
	w.Inventory.Hosts[0].Zone, w.Inventory.Hosts[0].Type = "ap-southeast-1a", "t3.medium"
	b := newBuilder(w, bare(w))
	labels := b.nodeLabels(w.Inventory.Hosts[0])
	if labels[ZoneLabel] != "ap-southeast-1a" || labels[TypeLabel] != "t3.medium" {
		t.Errorf("labels are %v", labels)
	}
	if _, ok := b.nodeLabels(w.Inventory.Hosts[1])[ZoneLabel]; ok {
		t.Error("a zone that nobody knows is a label")
	}
}
