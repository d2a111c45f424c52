package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/swarm"
)

func TestLeave(t *testing.T) {
	w := threeHosts()
	got := built(t, w)
	nodes := got.Swarm.Value.Nodes
	for i := range nodes {
		nodes[i].ManagerStatus = &swarm.ManagerStatus{Reachability: swarm.ReachabilityReachable}
	}
	p, err := Leave(w, got, "b")
	if err != nil {
		t.Fatal(err)
	}
	want := `
stack.db.gate.formed.before : the stack changes
stack.db.begin ← stack.db.gate.formed.before : a host leaves that holds a member
stack.db.before-stop.drain.db-02 ← stack.db.begin, stack.db.gate.formed.before : before stop of db-02
host.b.swarm ← stack.db.before-stop.drain.db-02, stack.db.begin, stack.db.gate.formed.before : another host is to take its place
`
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(p.Graph())); diff != "" {
		t.Error(diff)
	}
	nodes[2].ManagerStatus.Reachability = swarm.ReachabilityUnreachable
	if _, err := Leave(w, got, "b"); err == nil || !strings.Contains(err.Error(), "without it 1 of 2 swarm managers answer, which is no majority") {
		t.Errorf("a manager may leave though the majority goes with it: %v", err)
	}
	got.Hosts["b"].Engine.Value.NodeID = ""
	if _, err := Leave(w, got, "b"); err == nil || !strings.Contains(err.Error(), "it is no member of the swarm") {
		t.Errorf("a host that is no member may leave: %v", err)
	}
}
