package plan

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// majorityLost is a cluster of three of which a and b are gone, as c tells it.
func majorityLost(t *testing.T) (Want, state.Snapshot, state.Known[state.Survivor]) {
	t.Helper()
	w := hostsNamed("a", "b", "c")
	w.AllowUnreachable = false
	w.Stacks[0].Hooks = append(w.Stacks[0].Hooks,
		playbooks.Hook{Moment: playbooks.OnRecover, Name: "boot", Exec: []string{"boot", "${slot.name}", "without", "${lost}"}, On: playbooks.OnSlot, Note: "goes on alone"},
		playbooks.Hook{Moment: playbooks.OnRecover, Name: "shrink", Exec: []string{"shrink"}, On: playbooks.OnOne})
	got := built(t, w)
	got.Swarm.Value = nil
	e := got.Hosts["c"].Engine.Value
	e.ClusterID, e.ClusterTags = "", nil
	e.Volumes["db_db-03"], e.Owners = true, map[string]string{"db_db-03": "rmq"}
	for i := range w.Stacks[0].Services {
		svc := &w.Stacks[0].Services[i]
		svc.Spec.TaskTemplate.ContainerSpec.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: svc.Name, Target: "/data"}}
	}
	lose(got, "a", false)
	lose(got, "b", false)
	var seen state.Known[state.Survivor]
	seen.Value.Start = state.SwarmStart{Listen: "0.0.0.0:2377", Advertise: "192.0.2.3:2377"}
	for i, name := range []string{"a", "b", "c"} {
		seen.Value.Managers = append(seen.Value.Managers, state.Manager{
			NodeID: "node-" + name, Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 2377), Answers: name == "c"})
	}
	return w, got, seen
}

func TestRecover(t *testing.T) {
	w, got, seen := majorityLost(t)
	w.Inventory.Swarm.DataPathPort = 4790
	p, notes, err := Recover(w, got, "c", seen)
	if err != nil {
		t.Fatal(err)
	}
	want := `
swarm.recover : the swarm has no leader: of 3 managers only c answers
stack.db.begin ← swarm.recover : db-01, db-02 will not come back
stack.db.on-recover.boot.db-03 ← stack.db.begin : goes on alone
stack.db.on-recover.shrink.db-03 ← stack.db.begin, stack.db.on-recover.boot.db-03 : db-01, db-02 will not come back
stack.db.gate.started ← stack.db.begin, stack.db.on-recover.boot.db-03, stack.db.on-recover.shrink.db-03 : the stack changes
stack.db.gate.formed ← stack.db.begin, stack.db.gate.started, stack.db.on-recover.boot.db-03, stack.db.on-recover.shrink.db-03 : the stack changes
`
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(p.Graph())); diff != "" {
		t.Error(diff)
	}
	begin, _ := p.Step("swarm.recover")
	start := begin.Action.(RecoverSwarm).Start
	if start.DataPathPort != 4790 || start.Listen != "0.0.0.0:2377" || begin.Disrupts != "gives up manager 192.0.2.1, manager 192.0.2.2 for good" {
		t.Errorf("the swarm begins anew with %+v, and %s", start, begin.Disrupts)
	}
	boot, _ := p.Step("stack.db.on-recover.boot.db-03")
	if got := strings.Join(boot.Action.(RunCommand).Exec, " "); got != "boot db-03 without db-01 db-02" {
		t.Errorf("the hook runs %q", got)
	}
	formed, _ := p.Step("stack.db.gate.formed")
	if a := formed.Action.(RunCommand); strings.Join(a.Exec, " ") != "formed without db-01 db-02" || len(a.Services) != 1 {
		t.Errorf("the gate asks %v with %v", a.Services, a.Exec)
	}
	if !strings.Contains(strings.Join(notes, "\n"), "must not come back") {
		t.Errorf("nobody is told to keep the lost hosts off: %v", notes)
	}
}

func TestRecoverRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(w *Want, got state.Snapshot, seen *state.Known[state.Survivor])
		from   string
		want   string
	}{
		"a host that is lost": {func(*Want, state.Snapshot, *state.Known[state.Survivor]) {}, "a", "could not be observed"},
		"a host without Docker": {func(_ *Want, got state.Snapshot, _ *state.Known[state.Survivor]) {
			setEngine(got, "c", nil)
		}, "c", "no Docker runs on it"},
		"a worker": {func(_ *Want, got state.Snapshot, _ *state.Known[state.Survivor]) {
			got.Hosts["c"].Engine.Value.Manager = false
		}, "c", "it is no manager of a swarm"},
		"a manager of something else": {func(_ *Want, got state.Snapshot, _ *state.Known[state.Survivor]) {
			got.Hosts["c"].Engine.Value.Owners = nil
		}, "c", `nothing on it is of cluster "rmq"`},
		"what could not be read": {func(_ *Want, _ state.Snapshot, seen *state.Known[state.Survivor]) {
			seen.Err = errors.New("no such file")
		}, "c", "could not be read: no such file"},
		"a majority that answers": {func(w *Want, got state.Snapshot, _ *state.Known[state.Survivor]) {
			back(*w, got, "b")
		}, "c", "2 of 3 managers of the swarm are there, which is a majority: host b, c"},
		"a lost one that answers": {func(w *Want, got state.Snapshot, seen *state.Known[state.Survivor]) {
			back(*w, got, "b")
			seen.Value.Managers = append(seen.Value.Managers, state.Manager{NodeID: "node-d"}, state.Manager{NodeID: "node-e"})
		}, "c", "host b is not lost"},
		"a majority that only the host reaches": {func(_ *Want, _ state.Snapshot, seen *state.Known[state.Survivor]) {
			seen.Value.Managers[0].Answers = true
		}, "c", "the manager at 192.0.2.1:2377, c"},
		"a lone manager": {func(_ *Want, _ state.Snapshot, seen *state.Known[state.Survivor]) {
			seen.Value.Managers = nil
		}, "c", "it knows of no other manager"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w, got, seen := majorityLost(t)
			tt.change(&w, got, &seen)
			_, _, err := Recover(w, got, tt.from, seen)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestRecoverRefusesASwarmWithALeader(t *testing.T) {
	w, got, seen := majorityLost(t)
	got.Swarm.Value = &state.Swarm{ID: "S", Labels: map[string]string{OwnerLabel: "rmq"}}
	led(got, swarm.NodeStateReady)
	if _, _, err := Recover(w, got, "c", seen); err == nil || !strings.Contains(err.Error(), "the swarm has a leader, and 1 of its 1 managers answer") {
		t.Errorf("got %v", err)
	}
}

// A recover that was killed after the swarm began anew goes on.
func TestRecoverGoesOn(t *testing.T) {
	w, got, seen := majorityLost(t)
	got.Swarm.Value = &state.Swarm{ID: "S", Labels: map[string]string{OwnerLabel: "rmq", RecoveredLabel: "2026-11-24T12:00:00Z"}}
	led(got, swarm.NodeStateDown)
	p, _, err := Recover(w, got, "c", seen)
	if err != nil {
		t.Fatal(err)
	}
	if _, again := p.Step("swarm.recover"); again || len(p.Steps) != 5 {
		t.Errorf("what is left is\n%s", p.Graph())
	}
	delete(got.Swarm.Value.Labels, RecoveredLabel)
	p, _, err = Recover(w, got, "c", seen)
	if _, again := p.Step("swarm.recover"); err != nil || !again {
		t.Errorf("the swarm has lost its label, and nobody puts it on: %v", err)
	}
}

// led lets c's swarm have a leader, with the other two in some state.
func led(got state.Snapshot, others swarm.NodeState) {
	e := got.Hosts["c"].Engine.Value
	e.ClusterID, e.ClusterTags = "S", got.Swarm.Value.Labels
	for _, name := range []string{"a", "b", "c"} {
		n := swarm.Node{ID: "node-" + name, Spec: swarm.NodeSpec{Role: swarm.NodeRoleManager}, Status: swarm.NodeStatus{State: others}}
		if name == "c" {
			n.Status.State, n.ManagerStatus = swarm.NodeStateReady, &swarm.ManagerStatus{Leader: true, Reachability: swarm.ReachabilityReachable}
		}
		got.Swarm.Value.Nodes = append(got.Swarm.Value.Nodes, n)
	}
}

func setEngine(got state.Snapshot, host string, e *state.Engine) {
	h := got.Hosts[host]
	h.Engine.Value = e
	got.Hosts[host] = h
}

// back lets a host answer that is a manager without a leader.
func back(w Want, got state.Snapshot, host string) {
	h := bare(w).Hosts[host]
	h.Engine.Value = &state.Engine{Version: "26.1.5", NodeID: "node-" + host, SwarmState: "active", Manager: true}
	got.Hosts[host] = h
}

// What is left of a swarm as it was before it was recovered is not joined.
func TestMakeRefusesAManagerFromBeforeARecovery(t *testing.T) {
	w := threeHosts()
	got := formed(t, w)
	got.Swarm.Value.Labels = map[string]string{OwnerLabel: "rmq", RecoveredLabel: "2026-11-24T12:00:00Z"}
	for _, name := range []string{"a", "b"} {
		got.Hosts[name].Engine.Value.ClusterTags = got.Swarm.Value.Labels
	}
	if _, err := Make(w, got); err == nil || !strings.Contains(err.Error(), "host c: it is a manager of swarm S as it was before it was recovered without it") {
		t.Errorf("got %v", err)
	}
}

// Two members that form in turn and come to new hosts at once start one after the other.
func TestMakeLetsLostMembersStartInTurn(t *testing.T) {
	w := hostsNamed("a", "b", "c")
	w.Stacks = append([]playbooks.Stack{{ // its members start by the same labels, and the others need it
		Name: "base", Slots: []playbooks.SlotSet{{Name: "base", Names: []string{"base-01", "base-02", "base-03"}}},
		Gates:    []playbooks.Gate{{Name: "up", Exec: []string{"true"}, On: playbooks.OnOne}},
		Services: []playbooks.Service{service("base", "base-01", "base-01", "base:1"), service("base", "base-02", "base-02", "base:1"), service("base", "base-03", "base-03", "base:1")},
	}}, w.Stacks...)
	w.Stacks[1].DependsOn = []string{"base"}
	got := formed(t, w)
	for _, name := range []string{"a", "b"} {
		i := slices.IndexFunc(got.Swarm.Value.Nodes, func(n swarm.Node) bool { return n.ID == "node-"+name })
		got.Swarm.Value.Nodes[i].ID = "old-" + name
		got.Swarm.Value.Nodes[i].Status.State = swarm.NodeStateDown
		got.Swarm.Value.Nodes[i].ManagerStatus = nil
		setEngine(got, name, &state.Engine{Version: "26.1.5", SwarmState: "inactive"})
	}
	for _, changed := range []bool{false, true} { // another image comes with it
		if changed {
			setEnv(w, 1)
		}
		p, err := Make(w, got)
		if err != nil {
			t.Fatal(err)
		}
		first, _ := p.Step("host.a.node")
		second, _ := p.Step("host.b.node")
		if slices.Contains(first.After, "stack.db.gate.started.db-02") || !slices.Contains(second.After, "stack.db.gate.started.db-01") {
			t.Errorf("db-01 waits for %v, db-02 for %v", first.After, second.After)
		}
		update, _ := p.Step("stack.db.service.db-01")
		if changed && !slices.Contains(update.After, "stack.db.gate.started.db-02") {
			t.Errorf("db-01 changes before both are back: %v", update.After)
		}
	}
}
