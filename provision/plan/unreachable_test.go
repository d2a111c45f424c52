package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// hostsNamed wants as many hosts as there are names, each with a member.
func hostsNamed(names ...string) Want {
	w := threeHosts()
	w.AllowUnreachable = true
	w.Inventory.Hosts = nil
	db := &w.Stacks[0]
	db.Slots[0].Names, db.Services = nil, nil
	for i, name := range names {
		w.Inventory.Hosts = append(w.Inventory.Hosts, inventory.Host{Name: name, Address: fmt.Sprintf("192.0.2.%d", i+1), Role: "manager"})
		slot := fmt.Sprintf("db-%02d", i+1)
		db.Slots[0].Names = append(db.Slots[0].Names, slot)
		db.Services = append(db.Services, service("db", slot, slot, "db:1"))
	}
	db.Gates[1].Exec = []string{"formed", "without", "${missing}"}
	return w
}

// formed is a cluster that stands, with managers that reach each other.
func formed(t *testing.T, w Want) state.Snapshot {
	t.Helper()
	got := built(t, w)
	for i := range got.Swarm.Value.Nodes {
		got.Swarm.Value.Nodes[i].ManagerStatus = &swarm.ManagerStatus{Reachability: swarm.ReachabilityReachable}
	}
	return got
}

// lose takes a host out of reach; alive says that the swarm still sees it.
func lose(got state.Snapshot, host string, alive bool) {
	got.Hosts[host] = state.Host{Facts: state.Known[state.Facts]{Err: errors.New("no answer")}, Unreachable: true}
	if alive || got.Swarm.Value == nil {
		return
	}
	n := &got.Swarm.Value.Nodes[slices.IndexFunc(got.Swarm.Value.Nodes, func(n swarm.Node) bool { return n.ID == "node-"+host })]
	n.Status.State, n.ManagerStatus.Reachability = swarm.NodeStateDown, swarm.ReachabilityUnreachable
}

func setEnv(w Want, stack int) {
	for i := range w.Stacks[stack].Services {
		w.Stacks[stack].Services[i].Spec.TaskTemplate.ContainerSpec.Env = []string{"A=2"}
	}
}

// leftOut lists what a plan leaves out and does not only wait for another.
func leftOut(p *Plan) string {
	var b strings.Builder
	for _, l := range p.LeftOut {
		if !l.Waits {
			fmt.Fprintf(&b, "%s: %s\n", l.ID, l.Why)
		}
	}
	return b.String()
}

func TestMakePlansAroundHostsOutOfReach(t *testing.T) {
	tests := []struct {
		name   string
		hosts  []string
		change func(Want, state.Snapshot)
		steps  string // "": none
		left   string // beside what the hosts themselves may need
	}{
		{"nothing differs", []string{"a", "b", "c"}, func(_ Want, got state.Snapshot) { lose(got, "c", false) }, "", ""},
		{"a service of every host changes", []string{"a", "b", "c"}, func(w Want, got state.Snapshot) {
			setEnv(w, 1)
			lose(got, "c", false)
		}, `stack.proxy.begin : its gates held, and must hold again
stack.proxy.service.proxy ← stack.proxy.begin : differs in Env[A]
stack.proxy.ready ← stack.proxy.service.proxy : the record says`, ""},
		{"one of three is down, and no member may stop", []string{"a", "b", "c"}, func(w Want, got state.Snapshot) {
			setEnv(w, 0)
			lose(got, "c", false)
		}, "", `stack.db.service.db-03: its host c cannot be reached
stack.db.service.db-01: stopping db-01 would leave 1 of 3 members, which is no majority: db-03 is down
stack.db.service.db-02: stopping db-02 would leave 1 of 3 members, which is no majority: db-03 is down
`},
		{"what depends on a stack that stays waits with it", []string{"a", "b", "c"}, func(w Want, got state.Snapshot) {
			setEnv(w, 0)
			setEnv(w, 1)
			lose(got, "c", false)
		}, "", `stack.db.service.db-03: its host c cannot be reached
stack.db.service.db-01: stopping db-01 would leave 1 of 3 members, which is no majority: db-03 is down
stack.db.service.db-02: stopping db-02 would leave 1 of 3 members, which is no majority: db-03 is down
`},
		{"a host that converges beside one that is down", []string{"a", "b", "c"}, func(_ Want, got state.Snapshot) {
			lose(got, "c", false)
			h := got.Hosts["b"]
			h.Facts.Value.Docker.Enabled = false
			got.Hosts["b"] = h
		}, "host.b.docker : docker is not enabled", ""},
		{"a restart of Docker would take the managers' majority", []string{"a", "b", "c"}, func(w Want, got state.Snapshot) {
			w.Inventory.Docker.LogMaxSize = "10m" // not reloadable
			lose(got, "c", false)
		}, "", `host.a.daemon: without a, 1 of 3 swarm managers would be left, which is no majority
host.b.daemon: without b, 1 of 3 swarm managers would be left, which is no majority
`},
		{"a manager is demoted", []string{"a", "b", "c"}, func(w Want, got state.Snapshot) {
			w.Inventory.Hosts[1].Role = "worker"
			w.Inventory.Hosts = append(w.Inventory.Hosts, inventory.Host{Name: "d", Address: "192.0.2.4", Role: "manager"})
			got.Hosts["d"] = bare(w).Hosts["d"]
			lose(got, "c", false)
		}, "host.d.daemon : the file is not there", `host.b.node: without b, 1 of 2 swarm managers would be left, which is no majority
`},
		{"four of five are a majority and more", []string{"a", "b", "c", "d", "e"}, func(w Want, got state.Snapshot) {
			setEnv(w, 0)
			lose(got, "b", false)
		}, `stack.db.begin : its gates held, and must hold again
stack.db.gate.formed.before ← stack.db.begin : the stack changes
stack.db.before-stop.drain.db-01 ← stack.db.begin, stack.db.gate.formed.before : before stop of db-01
stack.db.service.db-01 ← stack.db.before-stop.drain.db-01, stack.db.begin, stack.db.gate.formed.before : differs in Env[A]
stack.db.gate.started.db-01 ← stack.db.service.db-01 : the stack changes
stack.db.gate.formed.db-01 ← stack.db.gate.started.db-01, stack.db.service.db-01 : the stack changes
stack.db.before-stop.drain.db-03 ←`, "stack.db.service.db-02: its host b cannot be reached\n"},
		{"three of five are a majority, and not one more", []string{"a", "b", "c", "d", "e"}, func(w Want, got state.Snapshot) {
			w.Stacks[0].Services[0].Spec.TaskTemplate.ContainerSpec.Env = []string{"A=2"}
			lose(got, "b", false)
			lose(got, "c", false)
		}, "", "stack.db.service.db-01: stopping db-01 would leave 2 of 5 members, which is no majority: db-02, db-03 are down\n"},
		{"a host out of reach from here only still counts", []string{"a", "b", "c"}, func(w Want, got state.Snapshot) {
			setEnv(w, 0)
			lose(got, "c", true)
		}, `stack.db.begin : its gates held, and must hold again
stack.db.gate.formed.before ← stack.db.begin : the stack changes
stack.db.before-stop.drain.db-01 ←`, "stack.db.service.db-03: its host c cannot be reached\n"},
		{"a slot whose label is nowhere goes to no other host", []string{"a", "b", "c"}, func(w Want, got state.Snapshot) {
			w.Inventory.Hosts = append(w.Inventory.Hosts, inventory.Host{Name: "d", Address: "192.0.2.4", Role: "worker"})
			got.Hosts["d"] = got.Hosts["a"]
			d := *got.Hosts["a"].Engine.Value
			d.NodeID, d.Manager = "node-d", false
			got.Hosts["d"] = state.Host{Facts: got.Hosts["a"].Facts, Engine: state.Known[*state.Engine]{Value: &d}}
			got.Swarm.Value.Nodes = append(got.Swarm.Value.Nodes, swarm.Node{ID: "node-d", Status: swarm.NodeStatus{State: swarm.NodeStateReady}, Spec: swarm.NodeSpec{
				Annotations: swarm.Annotations{Labels: map[string]string{OwnerLabel: "rmq", HostLabel: "d"}}, Role: swarm.NodeRoleWorker, Availability: swarm.NodeAvailabilityActive}})
			delete(got.Swarm.Value.Nodes[2].Spec.Labels, "rmqprov.slot.db-03")
			lose(got, "c", false)
		}, "", ""},
		{"a member's service that nothing wants any more", []string{"a", "b", "c"}, func(w Want, got state.Snapshot) {
			lose(got, "c", false)
			old := service("db", "db-04", "", "db:1").Spec
			got.Swarm.Value.Services = append(got.Swarm.Value.Services, swarm.Service{Spec: old})
		}, "", "service.db_db-04: of stack db, db-03 is down\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := hostsNamed(tt.hosts...)
			got := formed(t, w)
			tt.change(w, got)
			p := mustMake(t, w, got)
			if text := strings.TrimSpace(p.Graph()); tt.steps == "" && text != "" || !strings.HasPrefix(text, tt.steps) {
				t.Error(cmp.Diff(tt.steps, text))
			}
			left := slices.DeleteFunc(strings.SplitAfter(leftOut(p), "\n"), func(l string) bool { return strings.HasSuffix(l, ": it cannot be reached\n") })
			if diff := cmp.Diff(tt.left, strings.Join(left, "")); diff != "" {
				t.Error(diff)
			}
			for _, s := range p.Steps {
				if s.Host != "" && got.Hosts[s.Host].Unreachable {
					t.Errorf("step %s is of a host that cannot be reached", s.ID)
				}
			}
		})
	}
}

func TestMakeRefusesToPlanAroundTooMany(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Want, state.Snapshot)
		want   string
	}{
		{"nobody asked for it", func(w *Want, got state.Snapshot) {
			w.AllowUnreachable = false
			lose(got, "c", false)
		}, "host c: could not be observed: no answer\n    → bring it back; or, where it is known to be down, plan around it with --allow-unreachable"},
		{"a host that answers nonsense", func(_ *Want, got state.Snapshot) {
			lose(got, "c", false)
			h := got.Hosts["c"]
			h.Unreachable = false
			got.Hosts["c"] = h
		}, "host c: could not be observed: no answer"},
		{"a minority of the managers is left", func(_ *Want, got state.Snapshot) {
			lose(got, "b", true)
			lose(got, "c", true)
		}, "only 1 of 3 managers of the inventory can be reached, which is no majority: another run may work through the others (b, c)"},
		{"the managers do not reach each other", func(_ *Want, got state.Snapshot) {
			lose(got, "c", false)
			got.Swarm.Value.Nodes[1].ManagerStatus.Reachability = swarm.ReachabilityUnreachable
		}, "only 1 of 3 swarm managers answer, which is no majority"},
		{"the swarm may be on the host that is down", func(w *Want, got state.Snapshot) {
			for name, h := range bare(*w).Hosts {
				got.Hosts[name] = h
			}
			got.Swarm.Value.Nodes = nil
			lose(got, "c", true)
		}, "no host that answers is in a swarm, and one may be held by c, which cannot be reached"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := hostsNamed("a", "b", "c")
			got := formed(t, w)
			tt.change(&w, got)
			if len(got.Swarm.Value.Nodes) == 0 {
				got.Swarm.Value = nil
			}
			p, err := Make(w, got)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got plan %v and error %v, want an error with %q", p, err, tt.want)
			}
		})
	}
}

// A roll without one member is proven without it, and once more with it when
// its host is back.
func TestMakeProvesAgainWhenAHostIsBack(t *testing.T) {
	w := hostsNamed("a", "b", "c", "d", "e")
	w.Stacks[0].Hooks = append(w.Stacks[0].Hooks, playbooks.Hook{Moment: "after join", Name: "grow", Exec: []string{"grow"}, On: playbooks.OnSlot})
	got := formed(t, w)
	back := got.Hosts["b"]
	setEnv(w, 0)
	lose(got, "b", false)
	p := mustMake(t, w, got)
	gate, _ := p.Step("stack.db.gate.formed")
	if diff := cmp.Diff([]string{"formed", "without", "db-02"}, gate.Action.(RunCommand).Exec); diff != "" {
		t.Error(diff)
	}
	done(got, p)
	if again := mustMake(t, w, got); !again.Empty() {
		t.Errorf("done, and without the host there is still:\n%s", again.Graph())
	}
	got.Hosts["b"] = back
	got.Swarm.Value.Nodes[1].Status.State, got.Swarm.Value.Nodes[1].ManagerStatus.Reachability = swarm.NodeStateReady, swarm.ReachabilityReachable
	p = mustMake(t, w, got)
	gate, _ = p.Step("stack.db.gate.formed")
	if diff := cmp.Diff([]string{"formed", "without", ""}, gate.Action.(RunCommand).Exec); diff != "" {
		t.Error(diff)
	}
	if text := p.Graph(); !strings.Contains(text, "stack.db.service.db-02 ←") || strings.Contains(text, "stack.db.service.db-01") {
		t.Errorf("the member that was left out, and it alone, is to change:\n%s", text)
	}
	done(got, p)
	if again := mustMake(t, w, got); !again.Empty() {
		t.Errorf("with all hosts, and all done, there is still:\n%s", again.Graph())
	}
}

// done does the steps that change a cluster that stands.
func done(got state.Snapshot, p *Plan) {
	s := got.Swarm.Value
	for _, step := range p.Steps {
		switch a := step.Action.(type) {
		case UpdateService:
			i := slices.IndexFunc(s.Services, func(x swarm.Service) bool { return x.Spec.Name == a.Spec.Name })
			s.Services = slices.Delete(s.Services, i, i+1)
			apply(got, Step{Action: CreateService(a)})
		case RecordStack:
			s.Configs = slices.DeleteFunc(s.Configs, func(c swarm.Config) bool { return c.Spec.Name == a.Object })
			apply(got, step)
		}
	}
}
