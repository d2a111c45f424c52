package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/playbooks"
)

func TestReboot(t *testing.T) {
	w := threeHosts()
	w.Stacks = append([]playbooks.Stack{{
		Name: "names", Services: []playbooks.Service{service("names", "names", "", "names:1")},
		Gates: []playbooks.Gate{{Name: "leader", Exec: []string{"true"}, On: playbooks.OnOne}},
	}}, w.Stacks...)
	got := built(t, w)
	nodes := got.Swarm.Value.Nodes
	for i := range nodes {
		nodes[i].ManagerStatus = &swarm.ManagerStatus{Reachability: swarm.ReachabilityReachable}
	}
	p, err := Reboot(w, got, "b")
	if err != nil {
		t.Fatal(err)
	}
	want := `
stack.names.begin : its gates held, and must hold again
stack.names.gate.leader.before ← stack.names.begin : the stack changes
stack.db.begin : its gates held, and must hold again
stack.db.gate.formed.before ← stack.db.begin : the stack changes
stack.proxy.begin : its gates held, and must hold again
stack.db.before-stop.drain.db-02 ← stack.db.begin, stack.db.gate.formed.before, stack.names.begin, stack.names.gate.leader.before, stack.proxy.begin : before stop of db-02
stack.names.gate.leader.drain ← stack.db.before-stop.drain.db-02, stack.db.begin, stack.db.gate.formed.before, stack.names.begin, stack.names.gate.leader.before, stack.proxy.begin : the stack changes
host.b.reboot ← stack.db.before-stop.drain.db-02, stack.db.begin, stack.db.gate.formed.before, stack.names.begin, stack.names.gate.leader.before, stack.names.gate.leader.drain, stack.proxy.begin : asked for
stack.names.service.names.back ← host.b.reboot : it may run on b
stack.names.gate.leader ← host.b.reboot, stack.names.service.names.back : the stack changes
stack.names.ready ← host.b.reboot, stack.names.gate.leader, stack.names.service.names.back : they must hold again
stack.db.gate.started.db-02 ← host.b.reboot : the stack changes
stack.db.gate.formed ← host.b.reboot, stack.db.gate.started.db-02 : the stack changes
stack.db.ready ← host.b.reboot, stack.db.gate.formed, stack.db.gate.started.db-02 : they must hold again
stack.proxy.service.proxy.back ← host.b.reboot, stack.db.ready : it may run on b
stack.proxy.ready ← host.b.reboot, stack.db.ready, stack.proxy.service.proxy.back : they must hold again
`
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(p.Graph())); diff != "" {
		t.Errorf("%s\n%s", diff, p.Graph())
	}
	nodes[2].ManagerStatus.Reachability = swarm.ReachabilityUnreachable
	if _, err := Reboot(w, got, "b"); err == nil || !strings.Contains(err.Error(), "without it 1 of 3 swarm managers would answer, which is no majority") {
		t.Errorf("a manager may be rebooted though the majority goes with it: %v", err)
	}
}
