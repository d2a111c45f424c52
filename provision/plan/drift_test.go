package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// stopDocker stops a host's Docker: what is left to see is the host's certificate.
func stopDocker(s state.Snapshot, host string) {
	h := s.Hosts[host]
	h.Facts.Value.Docker.Active = false
	h.Facts.Value.NodeID = h.Engine.Value.NodeID
	h.Engine.Value = nil
	s.Hosts[host] = h
}

// withData gives the members of the database volumes, each on its host.
func withData(w Want, s state.Snapshot) {
	for i, svc := range w.Stacks[0].Services {
		mounts := []mount.Mount{{Type: mount.TypeVolume, Source: svc.Name, Target: "/data"}}
		w.Stacks[0].Services[i].Spec.TaskTemplate.ContainerSpec.Mounts = mounts
		if s.Swarm.Value != nil {
			s.Swarm.Value.Services[i].Spec.TaskTemplate.ContainerSpec.Mounts = mounts
		}
		s.Hosts[w.Inventory.Hosts[i].Name].Engine.Value.Volumes[svc.Name] = true
	}
	for i, c := range s.Swarm.Value.Configs {
		if c.Spec.Name == RecordObject("rmq", "db") {
			p := stackPlan{builder: newBuilder(w, s), stack: w.Stacks[0]}
			s.Swarm.Value.Configs[i].Spec.Labels[HashLabel] = p.hash()
		}
	}
}

// The host is still there with its members' data: they are not lost.
func TestMakeLetsAHostThatLeftJoinAgain(t *testing.T) {
	w := threeHosts()
	w.Stacks[0].Hooks = append(w.Stacks[0].Hooks,
		playbooks.Hook{Moment: "on lost", Name: "forget", Exec: []string{"forget"}, On: playbooks.OnAnother})
	got := built(t, w)
	withData(w, got)
	*got.Hosts["b"].Engine.Value = state.Engine{Version: "26.1.5", SwarmState: "inactive",
		Images: got.Hosts["b"].Engine.Value.Images, Volumes: got.Hosts["b"].Engine.Value.Volumes}
	for i := range got.Swarm.Value.Nodes {
		got.Swarm.Value.Nodes[i].ManagerStatus = &swarm.ManagerStatus{Reachability: swarm.ReachabilityReachable}
	}
	got.Swarm.Value.Nodes[1].Status.State = swarm.NodeStateDown
	got.Swarm.Value.Nodes[1].ManagerStatus.Reachability = swarm.ReachabilityUnreachable
	want := `
host.b.preflight : it is to join the swarm
host.b.swarm ← host.b.preflight : not a member, want manager
lost.b.node.node-b : host b has left the swarm
stack.db.begin : its gates held, and must hold again
host.b.node ← host.b.swarm, lost.b.node.node-b, stack.db.begin : labels.rmqprov.cluster is missing; labels.rmqprov.host is missing; labels.rmqprov.slot.db-02 is missing
stack.db.gate.started.db-02 ← host.b.node : the stack changes
stack.db.gate.formed ← host.b.node, stack.db.gate.started.db-02 : the stack changes
stack.db.ready ← host.b.node, stack.db.gate.formed, stack.db.gate.started.db-02 : they must hold again
`
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(mustMake(t, w, got).Graph())); diff != "" {
		t.Error(diff)
	}
	got.Hosts["b"].Engine.Value.Volumes = nil
	if text := mustMake(t, w, got).Graph(); !strings.Contains(text, "on-lost.forget.db-02") {
		t.Errorf("a member without its data is another one, and the old one must be forgotten:\n%s", text)
	}
}

// Where labels of two members stand on one host, the data decides.
func TestMakeBringsAMovedLabelBack(t *testing.T) {
	for _, emptyVolume := range []bool{false, true} {
		w := threeHosts()
		got := built(t, w)
		withData(w, got)
		delete(got.Swarm.Value.Nodes[2].Spec.Labels, slotLabel("db-03"))
		got.Swarm.Value.Nodes[0].Spec.Labels[slotLabel("db-03")] = "true"
		got.Hosts["a"].Engine.Value.Volumes["db_db-03"] = emptyVolume
		want := `
stack.db.begin : its gates held, and must hold again
host.a.node ← stack.db.begin : labels.rmqprov.slot.db-03 does not belong here
host.c.node ← stack.db.begin : labels.rmqprov.slot.db-03 is missing
stack.db.gate.started.db-03 ← host.c.node : the stack changes
`
		if text := mustMake(t, w, got).Graph(); !strings.HasPrefix(text, strings.TrimPrefix(want, "\n")) {
			t.Errorf("with a volume that the moved member made: %t\n%s", emptyVolume, cmp.Diff(want, text))
		}
	}
}

// Members that stopped together wait for each other when they start: one at a
// time, the first would wait for ever.
func TestMakeStartsMembersWithDataTogether(t *testing.T) {
	w := threeHosts()
	got := built(t, w)
	withData(w, got)
	got.Swarm.Value.Services = got.Swarm.Value.Services[3:]
	delete(got.Hosts["c"].Engine.Value.Volumes, "db_db-03")
	p := mustMake(t, w, got)
	for id, want := range map[ID]string{
		"stack.db.service.db-01": "stack.db.begin",
		"stack.db.service.db-02": "stack.db.begin",
		"stack.db.service.db-03": "stack.db.begin stack.db.gate.started.db-01 stack.db.gate.started.db-02 stack.db.service.db-01 stack.db.service.db-02",
	} {
		var after []string
		step, _ := p.Step(id)
		for _, x := range step.After {
			after = append(after, string(x))
		}
		if got := strings.Join(after, " "); got != want {
			t.Errorf("%s waits for %s, want %s", id, got, want)
		}
	}
}

// With Docker stopped on all managers nothing of the swarm can be seen, and
// there is one all the same.
func TestMakeStartsDockerOfASwarmThatSleeps(t *testing.T) {
	w := threeHosts()
	got := built(t, w)
	for _, h := range w.Inventory.Hosts {
		stopDocker(got, h.Name)
	}
	got.Swarm.Value = nil
	want := `
host.a.docker : docker is installed but not running
host.b.docker : docker is installed but not running
host.c.docker : docker is installed but not running
`
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(mustMake(t, w, got).Graph())); diff != "" {
		t.Error(diff)
	}
}

func TestDestroyWantsDockerToRunWhereAHostMustLeave(t *testing.T) {
	w, got := standing(t)
	stopDocker(got, "b")
	if _, _, err := Destroy(w, got, DestroyOptions{}); err == nil || !strings.Contains(err.Error(), "host b: its Docker is stopped") {
		t.Errorf("got error %v", err)
	}
}

// A destroy was killed when b had just left: for some seconds the swarm calls its
// node ready, and it is nobody else's.
func TestDestroyKnowsTheNodeOfAHostThatHasJustLeft(t *testing.T) {
	w, got := standing(t)
	*got.Hosts["b"].Engine.Value = state.Engine{Version: "26.1.5", SwarmState: "inactive"}
	got.Swarm.Value.Nodes[1].Spec.Labels = nil
	got.Swarm.Value.Nodes[1].Status.Addr = "192.0.2.2"
	p, notes, err := Destroy(w, got, DestroyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ends := p.Step("host.a.swarm"); !ends {
		t.Errorf("the swarm stays: %q\n%s", notes, ids(p))
	}
}

// A join that was broken off leaves a node that never comes. A node that somebody
// else let join has told its name.
func TestMakeRemovesNodesThatNeverCame(t *testing.T) {
	w := threeHosts()
	got := built(t, w)
	ghost := swarm.Node{ID: "ghost"}
	ghost.Spec.Role = swarm.NodeRoleManager
	ghost.Status.State = swarm.NodeStateUnknown
	for what, tt := range map[string]struct {
		change func(*swarm.Node)
		want   string
	}{
		"ghost":                {func(*swarm.Node) {}, "ghost.ghost : a join that was broken off has left it: it never came, and has no name"},
		"somebody else's":      {func(n *swarm.Node) { n.Description.Hostname = "theirs" }, ""},
		"that has come":        {func(n *swarm.Node) { n.Status.State = swarm.NodeStateReady }, ""},
		"counts as manager":    {func(n *swarm.Node) { n.ManagerStatus = &swarm.ManagerStatus{} }, ""},
		"labelled by somebody": {func(n *swarm.Node) { n.Spec.Labels = map[string]string{"mine": "1"} }, ""},
	} {
		n := ghost
		tt.change(&n)
		seen := got
		state := *got.Swarm.Value
		state.Nodes = append(slices.Clone(state.Nodes), n)
		seen.Swarm.Value = &state
		if text := strings.TrimSpace(mustMake(t, w, seen).Graph()); text != tt.want {
			t.Errorf("%s: got %q, want %q", what, text, tt.want)
		}
	}
}

func TestDestroyTakesTheSwarmOfANodeThatNeverCame(t *testing.T) {
	w, got := standing(t)
	ghost := swarm.Node{ID: "ghost"}
	ghost.Status.State = swarm.NodeStateUnknown
	got.Swarm.Value.Nodes = append(got.Swarm.Value.Nodes, ghost)
	p, notes, err := Destroy(w, got, DestroyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ends := p.Step("host.a.swarm"); !ends {
		t.Errorf("the swarm stays: %q\n%s", notes, ids(p))
	}
}
