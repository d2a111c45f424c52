package provision

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/api/types/system"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/sim"
	"github.com/rmqprov/rmqprov/provision/state"
)

var ownLabels = map[string]string{plan.OwnerLabel: "rmq"}

// member is a host in a swarm of ours.
func member(i int, manages bool) (*sim.Host, error) {
	info := system.Info{ServerVersion: "26.1.5", Swarm: swarm.Info{
		NodeID: "node-" + hostName(i), LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: manages,
	}}
	if manages {
		info.Swarm.Cluster = &swarm.ClusterInfo{ID: "S", Spec: swarm.Spec{Annotations: swarm.Annotations{Labels: ownLabels}}}
	}
	e, err := newEngine(info, map[string]any{"/services": []any{}, "/networks": []any{}, "/configs": []any{}, "/secrets": []any{}})
	return &sim.Host{Facts: hostFacts(i), Engine: e}, err
}

// swarmHosts makes n hosts that are one swarm, labels and all.
func swarmHosts(n int) ([]*sim.Host, error) {
	var hosts []*sim.Host
	var nodes []swarm.Node
	for i := range n {
		role := swarm.NodeRoleWorker
		if i < 3 {
			role = swarm.NodeRoleManager
		}
		h, err := member(i, i < 3)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
		nodes = append(nodes, swarm.Node{
			ID: "node-" + hostName(i), Status: swarm.NodeStatus{State: swarm.NodeStateReady},
			Description: swarm.NodeDescription{Hostname: hostName(i)},
			Spec: swarm.NodeSpec{Role: role, Availability: swarm.NodeAvailabilityActive,
				Annotations: swarm.Annotations{Labels: map[string]string{plan.OwnerLabel: "rmq", plan.HostLabel: hostName(i)}}},
		})
	}
	list, err := json.Marshal(nodes)
	for _, h := range hosts[:min(3, n)] {
		h.Engine.Answers["/nodes"] = list
	}
	return hosts, err
}

func swarmOf(t testing.TB, n int) []*sim.Host {
	t.Helper()
	hosts, err := swarmHosts(n)
	if err != nil {
		t.Fatal(err)
	}
	return hosts
}

// wanted asks for three members and a service that runs on every host.
func wanted(inv *inventory.Inventory) plan.Want {
	stack := playbooks.Stack{Name: "db", Slots: []playbooks.SlotSet{{Name: "db", Names: []string{"db-01", "db-02", "db-03"}}}}
	for _, name := range []string{"db-01", "db-02", "db-03", "proxy"} {
		svc := playbooks.Service{Name: "db_" + name, Spec: swarm.ServiceSpec{
			Annotations:  swarm.Annotations{Name: "db_" + name, Labels: ownLabels},
			TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "img-" + name}},
		}}
		if name != "proxy" {
			svc.Slot = name
		}
		stack.Services = append(stack.Services, svc)
	}
	return plan.Want{Inventory: inv, Stacks: []playbooks.Stack{stack}}
}

// observeAndPlan is what every run begins with.
func observeAndPlan(t testing.TB, s *Session, want plan.Want) (state.Snapshot, *plan.Plan) {
	t.Helper()
	got, err := s.Observe(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Make(want, got)
	if err != nil {
		t.Fatal(err)
	}
	return got, p
}

// allocated returns the bytes and the number of allocations of do.
func allocated(do func()) (bytes, count uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

// The work for one host must not depend on how many others there are. What is
// counted is allocations, which a busy machine does not change.
func TestCostGrowsLinearly(t *testing.T) {
	cost := func(n int) (bytes, count float64) {
		inv := fleet(t, swarmOf(t, n))
		s := openSession(t, inv)
		b, c := allocated(func() { observeAndPlan(t, s, wanted(inv)) })
		return float64(b) / float64(n), float64(c) / float64(n)
	}
	cost(10) // what is made once
	fewBytes, few := cost(10)
	manyBytes, many := cost(100)
	t.Logf("a host of 10: %.0f bytes, %.0f allocations; of 100: %.0f bytes, %.0f", fewBytes, few, manyBytes, many)
	if many > 1.3*few || manyBytes > 1.3*fewBytes {
		t.Errorf("a host costs more among many")
	}
}

// The plan for a thousand hosts is made by looking at each a few times, not at
// each for each.
func TestPlanGrowsLinearly(t *testing.T) {
	cost := func(n int) float64 {
		want, got := seen(n)
		bytes, _ := allocated(func() {
			if _, err := plan.Make(want, got); err != nil {
				t.Fatal(err)
			}
		})
		return float64(bytes) / float64(n)
	}
	cost(10)
	few, many := cost(100), cost(1000)
	t.Logf("bytes a host: %.0f of 100, %.0f of 1000", few, many)
	if many > 1.5*few {
		t.Errorf("a host costs %.0f bytes among 100, %.0f among 1000", few, many)
	}
}

// seen is what a swarm of n hosts looks like.
func seen(n int) (plan.Want, state.Snapshot) {
	inv := &inventory.Inventory{Cluster: inventory.Cluster{Name: "rmq"}, Docker: inventory.Docker{LogMaxSize: "50m", LogMaxFile: 3}}
	snap := state.Snapshot{Hosts: map[string]state.Host{}}
	members := &state.Swarm{ID: "S", Labels: ownLabels}
	for i := range n {
		name := hostName(i)
		inv.Hosts = append(inv.Hosts, inventory.Host{Name: name, Address: "127.0.0.1"})
		facts, err := state.ParseFacts([]byte(hostFacts(i).String()))
		if err != nil {
			panic(err)
		}
		e := &state.Engine{Version: "26.1.5", NodeID: "node-" + name, SwarmState: "active", Manager: i < 3}
		if i < 3 {
			e.ClusterID, e.ClusterTags = "S", ownLabels
		}
		snap.Hosts[name] = state.Host{Facts: state.Known[state.Facts]{Value: facts}, Engine: state.Known[*state.Engine]{Value: e}}
		members.Nodes = append(members.Nodes, swarm.Node{ID: e.NodeID, Status: swarm.NodeStatus{State: swarm.NodeStateReady}})
	}
	snap.Swarm.Value = members
	return wanted(inv), snap
}

// A bastion's sshd cuts connections that are too many at once, and is given
// one.
func TestManyHostsBehindOneBastion(t *testing.T) {
	var hosts []*sim.Host
	for i := range 100 {
		hosts = append(hosts, sound(t, i))
	}
	bastion := &sim.Host{Forward: true, MaxStartups: 10}
	inv := fleet(t, append(slices.Clone(hosts), bastion))
	inv.Hosts = inv.Hosts[:len(hosts)]
	inv.SSH.Jump = fmt.Sprintf("ec2-user@127.0.0.1:%d", bastion.Port())
	s := openSession(t, inv)
	got, err := s.Observe(t.Context(), plan.Want{Inventory: inv})
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range got.Hosts {
		if err := h.Facts.Err; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := bastion.Logins(); n != 1 {
		t.Errorf("%d connections to the bastion", n)
	}
}
