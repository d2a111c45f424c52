package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// threeHosts wants a database of three members that form one after the other,
// and a proxy in front of them on every host.
func threeHosts() Want {
	inv := &inventory.Inventory{
		Cluster:  inventory.Cluster{Name: "rmq"},
		Docker:   inventory.Docker{LogMaxSize: "50m", LogMaxFile: 3},
		Networks: []inventory.Network{{Name: "prod", Subnet: "10.0.1.0/24", Attachable: true}},
	}
	for i, name := range []string{"a", "b", "c"} {
		inv.Hosts = append(inv.Hosts, inventory.Host{Name: name, Address: fmt.Sprintf("192.0.2.%d", i+1)})
	}
	db := playbooks.Stack{
		Name: "db", Networks: []string{"prod"}, Roll: "db", Form: playbooks.FormInTurn,
		Slots:   []playbooks.SlotSet{{Name: "db", Names: []string{"db-01", "db-02", "db-03"}}},
		Configs: []playbooks.Config{{Name: "conf", Object: "db_conf-1111", Content: []byte("x")}},
		Secrets: []playbooks.Secret{{Name: "cookie", Generate: 8, Objects: []playbooks.SecretObject{{Object: "db_cookie-g1"}}}},
		Gates: []playbooks.Gate{
			{Name: "started", Exec: []string{"true"}, On: playbooks.OnSlot},
			{Name: "formed", Exec: []string{"true"}, On: playbooks.OnOne},
		},
		Hooks: []playbooks.Hook{{Moment: "before stop", Name: "drain", Exec: []string{"drain"}, On: playbooks.OnSlot}},
	}
	for _, slot := range db.Slots[0].Names {
		db.Services = append(db.Services, service("db", slot, slot, "db:1"))
	}
	proxy := playbooks.Stack{Name: "proxy", DependsOn: []string{"db"}, Services: []playbooks.Service{service("proxy", "proxy", "", "proxy:1")}}
	return Want{Inventory: inv, Stacks: []playbooks.Stack{db, proxy}}
}

func service(stack, name, slot, image string) playbooks.Service {
	return playbooks.Service{Name: stack + "_" + name, Slot: slot, Spec: swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: stack + "_" + name, Labels: map[string]string{OwnerLabel: "rmq"}},
		TaskTemplate: swarm.TaskSpec{
			ContainerSpec: &swarm.ContainerSpec{Image: image, Env: []string{"A=1"}},
			Networks:      []swarm.NetworkAttachmentConfig{{Target: "prod"}},
		},
		EndpointSpec: &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80, PublishedPort: 80}}},
	}}
}

// bare is what three hosts with nothing on them look like.
func bare(w Want) state.Snapshot {
	snap := state.Snapshot{Hosts: map[string]state.Host{}}
	for _, h := range w.Inventory.Hosts {
		snap.Hosts[h.Name] = state.Host{Facts: state.Known[state.Facts]{Value: state.Facts{
			OS:        state.OS{ID: "debian", Version: "13", Pretty: "Debian 13"},
			Addresses: []netip.Prefix{netip.MustParsePrefix(h.Address + "/24")},
			Files:     map[string]state.File{},
		}}}
	}
	return snap
}

// built is what the hosts look like after all that Make asks for bare ones was
// done.
func built(t *testing.T, w Want) state.Snapshot {
	t.Helper()
	p, err := Make(w, bare(w))
	if err != nil {
		t.Fatal(err)
	}
	got := bare(w)
	s := &state.Swarm{ID: "S", Labels: map[string]string{OwnerLabel: "rmq"}}
	got.Swarm.Value = s
	for name, h := range got.Hosts {
		h.Facts.Value.Docker = state.Unit{Loaded: true, Enabled: true, Active: true}
		h.Engine.Value = &state.Engine{
			Version: "26.1.5", NodeID: "node-" + name, SwarmState: "active", Manager: true, ClusterID: "S",
			ClusterTags: s.Labels, Images: map[string]bool{}, Volumes: map[string]bool{},
		}
		got.Hosts[name] = h
	}
	for _, h := range w.Inventory.Hosts {
		s.Nodes = append(s.Nodes, swarm.Node{
			ID: "node-" + h.Name, Status: swarm.NodeStatus{State: swarm.NodeStateReady},
			Spec: swarm.NodeSpec{Role: swarm.NodeRoleManager, Availability: swarm.NodeAvailabilityActive},
		})
	}
	for _, step := range p.Steps {
		apply(got, step)
	}
	return got
}

// apply does a step to a snapshot.
func apply(got state.Snapshot, step Step) {
	s := got.Swarm.Value
	switch a := step.Action.(type) {
	case WriteDaemon:
		got.Hosts[step.Host].Facts.Value.Files[DaemonPath] = state.File{Content: a.Content}
	case UpdateNode:
		for i := range s.Nodes {
			if s.Nodes[i].ID == "node-"+step.Host {
				s.Nodes[i].Spec.Labels = a.Set
			}
		}
	case PullImage:
		got.Hosts[step.Host].Engine.Value.Images[a.Ref] = true
	case CreateNetwork:
		s.Networks = append(s.Networks, network.Summary{Network: network.Network{
			ID: "net-id", Name: a.Name, Driver: "overlay", Attachable: a.Attachable,
			IPAM: network.IPAM{Config: []network.IPAMConfig{{Subnet: netip.MustParsePrefix(a.Subnet)}}},
		}})
	case CreateConfig:
		s.Configs = append(s.Configs, swarm.Config{Spec: swarm.ConfigSpec{Annotations: swarm.Annotations{Name: a.Object, Labels: a.Labels}}})
	case RecordStack:
		labels := map[string]string{HashLabel: a.Hash}
		maps.Copy(labels, a.Labels)
		s.Configs = append(s.Configs, swarm.Config{Spec: swarm.ConfigSpec{Annotations: swarm.Annotations{Name: a.Object, Labels: labels}}})
	case CreateSecret:
		for _, o := range a.Secret.Objects {
			s.Secrets = append(s.Secrets, swarm.Secret{Spec: swarm.SecretSpec{Annotations: swarm.Annotations{Name: o.Object, Labels: a.Labels}}})
		}
	case CreateService:
		spec := copySpec(a.Spec)
		for i := range spec.TaskTemplate.Networks {
			spec.TaskTemplate.Networks[i].Target = "net-id"
		}
		s.Services = append(s.Services, swarm.Service{ID: "id-" + spec.Name, Spec: spec})
	}
}

func copySpec(spec swarm.ServiceSpec) (out swarm.ServiceSpec) {
	data, _ := json.Marshal(spec)
	_ = json.Unmarshal(data, &out)
	return out
}

func mustMake(t *testing.T, w Want, got state.Snapshot) *Plan {
	t.Helper()
	p, err := Make(w, got)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMakePlansABareClusterWithoutBarriers(t *testing.T) {
	w := threeHosts()
	want := `
host.a.daemon : the file is not there
host.a.docker ← host.a.daemon : docker not installed
host.b.daemon : the file is not there
host.b.docker ← host.b.daemon : docker not installed
host.c.daemon : the file is not there
host.c.docker ← host.c.daemon : docker not installed
host.a.preflight : it is to join the swarm
host.b.preflight : it is to join the swarm
host.c.preflight : it is to join the swarm
swarm.init ← host.a.daemon, host.a.docker, host.a.preflight, host.b.preflight, host.c.preflight : no host is in a swarm (asked a, b, c)
host.b.swarm ← host.b.daemon, host.b.docker, host.b.preflight, swarm.init : not a member, want manager
host.c.swarm ← host.c.daemon, host.c.docker, host.c.preflight, swarm.init : not a member, want manager
network.prod ← swarm.init : no network of that name
host.a.node ← swarm.init : labels.rmqprov.cluster is missing; labels.rmqprov.host is missing; labels.rmqprov.slot.db-01 is missing
host.a.image.db:1 ← host.a.daemon, host.a.docker, swarm.init : image not on the host
host.a.image.proxy:1 ← host.a.daemon, host.a.docker, host.a.image.db:1, swarm.init : image not on the host
host.b.node ← host.b.swarm, swarm.init : labels.rmqprov.cluster is missing; labels.rmqprov.host is missing; labels.rmqprov.slot.db-02 is missing
host.b.image.db:1 ← host.b.daemon, host.b.docker, host.b.swarm, swarm.init : image not on the host
host.b.image.proxy:1 ← host.b.daemon, host.b.docker, host.b.image.db:1, host.b.swarm, swarm.init : image not on the host
host.c.node ← host.c.swarm, swarm.init : labels.rmqprov.cluster is missing; labels.rmqprov.host is missing; labels.rmqprov.slot.db-03 is missing
host.c.image.db:1 ← host.c.daemon, host.c.docker, host.c.swarm, swarm.init : image not on the host
host.c.image.proxy:1 ← host.c.daemon, host.c.docker, host.c.image.db:1, host.c.swarm, swarm.init : image not on the host
stack.db.config.conf ← swarm.init : no config of that content
stack.db.secret.cookie ← swarm.init : not there; its value will be generated once
stack.db.service.db-01 ← host.a.image.db:1, host.a.node, network.prod, stack.db.config.conf, stack.db.secret.cookie, swarm.init : not deployed
stack.db.gate.started.db-01 ← stack.db.service.db-01 : the stack changes
stack.db.service.db-02 ← host.b.image.db:1, host.b.node, host.b.swarm, network.prod, stack.db.config.conf, stack.db.gate.started.db-01, stack.db.secret.cookie, stack.db.service.db-01, swarm.init : not deployed
stack.db.gate.started.db-02 ← stack.db.service.db-02 : the stack changes
stack.db.service.db-03 ← host.c.image.db:1, host.c.node, host.c.swarm, network.prod, stack.db.config.conf, stack.db.gate.started.db-02, stack.db.secret.cookie, stack.db.service.db-02, swarm.init : not deployed
stack.db.gate.started.db-03 ← stack.db.service.db-03 : the stack changes
stack.db.gate.formed ← stack.db.gate.started.db-01, stack.db.gate.started.db-02, stack.db.gate.started.db-03, stack.db.service.db-01, stack.db.service.db-02, stack.db.service.db-03 : the stack changes
`
	got := mustMake(t, w, bare(w)).Graph()
	head, _, _ := strings.Cut(got, "stack.db.ready")
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(head)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(got, "\nstack.proxy.service.proxy ← ") || !strings.Contains(got, "stack.db.ready, swarm.init : not deployed") {
		t.Errorf("the proxy does not wait for the database:\n%s", got)
	}
}

func TestMakePlansNothingAfterApply(t *testing.T) {
	w := threeHosts()
	if p := mustMake(t, w, built(t, w)); !p.Empty() {
		t.Errorf("not empty:\n%s", p.Graph())
	}
}

func TestMakeIsTheSameEveryTime(t *testing.T) {
	w := threeHosts()
	first := mustMake(t, w, bare(w)).Graph()
	for range 50 {
		if again := mustMake(t, w, bare(w)).Graph(); again != first {
			t.Fatal(cmp.Diff(first, again))
		}
	}
}

func TestMakeMendsDriftAndNothingElse(t *testing.T) {
	tests := []struct {
		name  string
		drift func(state.Snapshot)
		want  string
	}{
		{"docker stopped", func(s state.Snapshot) {
			stopDocker(s, "b")
			s.Swarm.Value.Nodes[1].Status.State = swarm.NodeStateDown
		}, `stack.db.begin : its gates held, and must hold again
host.b.docker ← stack.db.begin : docker is installed but not running
stack.db.gate.started.db-02 ← host.b.docker : the stack changes
stack.db.gate.formed ← host.b.docker, stack.db.gate.started.db-02 : the stack changes`},
		{"docker disabled", func(s state.Snapshot) {
			h := s.Hosts["b"]
			h.Facts.Value.Docker.Enabled = false
			s.Hosts["b"] = h
		}, "host.b.docker : docker is not enabled"},
		{"daemon.json edited", func(s state.Snapshot) {
			s.Hosts["c"].Facts.Value.Files[DaemonPath] = state.File{Content: []byte(`{"debug": true}`)}
		}, `host.c.db.gate.formed.before : the stack changes
stack.db.begin : its gates held, and must hold again
host.c.db.before-stop.drain.db-03 ← host.c.db.gate.formed.before, stack.db.begin : before stop of db-03
stack.proxy.begin : its gates held, and must hold again
host.c.daemon ← host.c.db.before-stop.drain.db-03, host.c.db.gate.formed.before, stack.db.begin, stack.proxy.begin : differs in log-opts
host.c.db.gate.started ← host.c.daemon : the stack changes
host.c.db.gate.formed ← host.c.daemon : the stack changes
stack.db.gate.formed ← host.c.daemon, host.c.db.gate.formed, host.c.db.gate.started : the stack changes
stack.db.ready ← host.c.daemon, host.c.db.gate.formed, host.c.db.gate.started, stack.db.gate.formed : they must hold again
stack.proxy.ready`},
		{"slot label removed", func(s state.Snapshot) {
			delete(s.Swarm.Value.Nodes[0].Spec.Labels, "rmqprov.slot.db-01")
		}, `stack.db.begin : its gates held, and must hold again
host.a.node ← stack.db.begin : labels.rmqprov.slot.db-01 is missing
stack.db.gate.started.db-01 ← host.a.node : the stack changes
stack.db.gate.formed ← host.a.node, stack.db.gate.started.db-01 : the stack changes
stack.db.ready ←`},
		{"what the compose file leaves to the swarm", func(s state.Snapshot) {
			e := s.Swarm.Value.Services[0].Spec.EndpointSpec
			e.Mode, e.Ports[0].Protocol, e.Ports[0].PublishMode = "vip", "tcp", "ingress"
		}, ""},
		{"port moved to UDP", func(s state.Snapshot) {
			s.Swarm.Value.Services[0].Spec.EndpointSpec.Ports[0].Protocol = "udp"
		}, `stack.db.begin : its gates held, and must hold again`},
		{"foreign label added", func(s state.Snapshot) {
			s.Swarm.Value.Nodes[0].Spec.Labels["team"] = "x"
		}, ""},
		{"foreign service added", func(s state.Snapshot) {
			s.Swarm.Value.Services = append(s.Swarm.Value.Services, swarm.Service{Spec: swarm.ServiceSpec{Annotations: swarm.Annotations{Name: "x"}}})
		}, ""},
		{"node drained", func(s state.Snapshot) {
			s.Swarm.Value.Nodes[1].Spec.Availability = swarm.NodeAvailabilityDrain
		}, `stack.db.begin : its gates held, and must hold again
host.b.node ← stack.db.begin : availability is drain, want active
stack.db.gate.started.db-02 ← host.b.node : the stack changes
stack.db.gate.formed ← host.b.node, stack.db.gate.started.db-02 : the stack changes`},
		{"manager demoted", func(s state.Snapshot) {
			s.Swarm.Value.Nodes[1].Spec.Role = swarm.NodeRoleWorker
		}, "host.b.node : role is worker, want manager"},
		{"config removed", func(s state.Snapshot) {
			s.Swarm.Value.Configs = s.Swarm.Value.Configs[1:]
		}, "stack.db.config.conf : no config of that content"},
		{"a service that does not run", func(s state.Snapshot) {
			s.Swarm.Value.Services[1].Spec.TaskTemplate.ContainerSpec.Image = "db:none"
			s.Swarm.Value.Services[1].ServiceStatus = &swarm.ServiceStatus{DesiredTasks: 1}
		}, `stack.db.begin : its gates held, and must hold again
stack.db.service.db-02 ← stack.db.begin : differs in Image
stack.db.gate.started.db-02 ← stack.db.service.db-02 : the stack changes
stack.db.gate.formed ← stack.db.gate.started.db-02, stack.db.service.db-02 : the stack changes`},
		{"a member's task that does not run", func(s state.Snapshot) {
			s.Swarm.Value.Services[1].ServiceStatus = &swarm.ServiceStatus{DesiredTasks: 1}
		}, `stack.db.begin : its gates held, and must hold again
stack.db.service.db-02.up ← stack.db.begin : 0 of 1 tasks run
stack.db.gate.started.db-02 ← stack.db.service.db-02.up : the stack changes
stack.db.gate.formed ← stack.db.gate.started.db-02, stack.db.service.db-02.up : the stack changes
stack.db.ready`},
		{"image changed", func(s state.Snapshot) {
			s.Swarm.Value.Services[1].Spec.TaskTemplate.ContainerSpec.Image = "db:0"
		}, `stack.db.begin : its gates held, and must hold again
stack.db.gate.formed.before ← stack.db.begin : the stack changes
stack.db.before-stop.drain.db-02 ← stack.db.begin, stack.db.gate.formed.before : before stop of db-02
stack.db.service.db-02 ← stack.db.before-stop.drain.db-02, stack.db.begin, stack.db.gate.formed.before : differs in Image
stack.db.gate.started.db-02 ← stack.db.service.db-02 : the stack changes
stack.db.gate.formed.db-02 ← stack.db.gate.started.db-02, stack.db.service.db-02 : the stack changes
stack.db.gate.formed ← stack.db.gate.formed.db-02, stack.db.gate.started.db-02, stack.db.service.db-02 : the stack changes
stack.db.ready`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := threeHosts()
			got := built(t, w)
			tt.drift(got)
			text := strings.TrimSpace(mustMake(t, w, got).Graph())
			if tt.want == "" && text != "" || !strings.HasPrefix(text, tt.want) {
				t.Error(cmp.Diff(tt.want, text))
			}
		})
	}
}

func TestMakeRollsOneMemberAtATime(t *testing.T) {
	w := threeHosts()
	got := built(t, w)
	for i := range w.Stacks[0].Services {
		w.Stacks[0].Services[i].Spec.TaskTemplate.ContainerSpec.Env = []string{"A=2"}
	}
	want := `
stack.db.begin : its gates held, and must hold again
stack.db.gate.formed.before ← stack.db.begin : the stack changes
stack.db.before-stop.drain.db-01 ← stack.db.begin, stack.db.gate.formed.before : before stop of db-01
stack.db.service.db-01 ← stack.db.before-stop.drain.db-01, stack.db.begin, stack.db.gate.formed.before : differs in Env[A]
stack.db.gate.started.db-01 ← stack.db.service.db-01 : the stack changes
stack.db.gate.formed.db-01 ← stack.db.gate.started.db-01, stack.db.service.db-01 : the stack changes
stack.db.before-stop.drain.db-02 ← stack.db.begin, stack.db.gate.formed.db-01, stack.db.gate.started.db-01, stack.db.service.db-01 : before stop of db-02
`
	head, _, _ := strings.Cut(mustMake(t, w, got).Graph(), "stack.db.service.db-02")
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(head)); diff != "" {
		t.Error(diff)
	}
}

func TestMakeRestartsDockerOnOneHostAtATime(t *testing.T) {
	w := threeHosts()
	got := built(t, w)
	w.Inventory.Docker.LogMaxSize = "10m" // not reloadable
	want := `
host.a.db.gate.formed.before : the stack changes
stack.db.begin : its gates held, and must hold again
host.a.db.before-stop.drain.db-01 ← host.a.db.gate.formed.before, stack.db.begin : before stop of db-01
stack.proxy.begin : its gates held, and must hold again
host.a.daemon ← host.a.db.before-stop.drain.db-01, host.a.db.gate.formed.before, stack.db.begin, stack.proxy.begin : differs in log-opts
host.a.db.gate.started ← host.a.daemon : the stack changes
host.a.db.gate.formed ← host.a.daemon : the stack changes
host.b.db.before-stop.drain.db-02 ← host.a.daemon, host.a.db.gate.formed, host.a.db.gate.started, stack.db.begin : before stop of db-02
host.b.daemon ← host.a.daemon, host.a.db.gate.formed, host.a.db.gate.started, host.b.db.before-stop.drain.db-02, stack.db.begin, stack.proxy.begin : differs in log-opts
`
	if text := mustMake(t, w, got).Graph(); !strings.Contains(text, want[1:]) {
		t.Error(cmp.Diff(want, text))
	}
}

func TestMakePutsANewHostInADeadOnesPlace(t *testing.T) {
	w := threeHosts()
	got := built(t, w)
	// b's machine died, and the inventory names d instead, which is bare.
	w.Inventory.Hosts[1] = inventory.Host{Name: "d", Address: "192.0.2.4"}
	w.Stacks[0].Hooks = append(w.Stacks[0].Hooks,
		playbooks.Hook{Moment: "on lost", Name: "forget", Exec: []string{"forget"}, On: playbooks.OnAnother},
		playbooks.Hook{Moment: "after join", Name: "grow", Exec: []string{"grow"}, On: playbooks.OnSlot})
	got.Hosts["d"] = bare(w).Hosts["d"]
	delete(got.Hosts, "b")
	got.Swarm.Value.Nodes[1].Status.State = swarm.NodeStateDown
	for i := range got.Swarm.Value.Nodes {
		got.Swarm.Value.Nodes[i].ManagerStatus = &swarm.ManagerStatus{Reachability: swarm.ReachabilityReachable}
	}
	got.Swarm.Value.Nodes[1].ManagerStatus.Reachability = swarm.ReachabilityUnreachable
	want := `
host.d.daemon : the file is not there
host.d.docker ← host.d.daemon : docker not installed
host.d.preflight : it is to join the swarm
host.d.swarm ← host.d.daemon, host.d.docker, host.d.preflight : not a member, want manager
stack.db.begin : its gates held, and must hold again
stack.db.on-lost.forget.db-02 ← stack.db.begin : on lost of db-02
lost.b.node.node-b ← stack.db.on-lost.forget.db-02 : host b is down and not in the inventory
host.d.image.db:1 ← host.d.daemon, host.d.docker, host.d.swarm : image not on the host
host.d.node ← host.d.image.db:1, host.d.swarm, lost.b.node.node-b, stack.db.begin : labels.rmqprov.cluster is missing; labels.rmqprov.host is missing; labels.rmqprov.slot.db-02 is missing
host.d.image.proxy:1 ← host.d.daemon, host.d.docker, host.d.image.db:1, host.d.swarm : image not on the host
stack.db.gate.started.db-02 ← host.d.node : the stack changes
stack.db.after-join.grow.db-02 ← host.d.node, stack.db.gate.started.db-02 : after join of db-02
stack.db.gate.formed ← host.d.node, stack.db.after-join.grow.db-02, stack.db.gate.started.db-02 : the stack changes
stack.db.ready ← host.d.node, stack.db.after-join.grow.db-02, stack.db.gate.formed, stack.db.gate.started.db-02 : they must hold again
`
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(mustMake(t, w, got).Graph())); diff != "" {
		t.Error(diff)
	}
	got.Swarm.Value.Nodes[1].Status.State = swarm.NodeStateReady
	if _, err := Make(w, got); err == nil || !strings.Contains(err.Error(), "is ready in the swarm and not in the inventory") {
		t.Errorf("a live node was taken for lost: %v", err)
	}
	got.Swarm.Value.Nodes[1].Status.State = swarm.NodeStateDown
	got.Swarm.Value.Nodes[2].ManagerStatus.Reachability = swarm.ReachabilityUnreachable
	if _, err := Make(w, got); err == nil || !strings.Contains(err.Error(), "only 1 of 3 swarm managers answer") {
		t.Errorf("a manager was taken out without a majority: %v", err)
	}
}

// A cluster was destroyed and its volumes were kept: what the members have
// there, such as passwords, is of before.
func TestMakeChangesWhatKeptDataHolds(t *testing.T) {
	w := threeHosts()
	w.Stacks[0].Hooks = []playbooks.Hook{{Moment: "after change", Name: "password", Exec: []string{"x"}, On: playbooks.OnOne}}
	w.Stacks[0].Services[0].Spec.TaskTemplate.ContainerSpec.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: "db_db-01"}}
	const step = "\nstack.db.after-change.password ←"
	if text := mustMake(t, w, bare(w)).Graph(); strings.Contains(text, step) {
		t.Errorf("a new member has nothing of before:\n%s", text)
	}
	got := bare(w)
	h := got.Hosts["a"]
	h.Facts.Value.Docker = state.Unit{Loaded: true, Enabled: true, Active: true}
	h.Engine.Value = &state.Engine{Version: "26.1", SwarmState: "inactive", Volumes: map[string]bool{"db_db-01": true}}
	got.Hosts["a"] = h
	if text := mustMake(t, w, got).Graph(); !strings.Contains(text, step) {
		t.Errorf("nothing changes what the volume holds:\n%s", text)
	}
}

// A run was killed after its last change and before its gates: nothing differs,
// and yet there is something to do.
func TestMakeFinishesWhatAKilledRunLeft(t *testing.T) {
	w := threeHosts()
	got := built(t, w)
	for i, c := range got.Swarm.Value.Configs {
		if c.Spec.Name == RecordObject("rmq", "db") {
			got.Swarm.Value.Configs[i].Spec.Labels[HashLabel] = ""
		}
	}
	want := `stack.db.gate.started.db-01 : the stack changes
stack.db.gate.started.db-02 : the stack changes
stack.db.gate.started.db-03 : the stack changes
stack.db.gate.formed ← stack.db.gate.started.db-01, stack.db.gate.started.db-02, stack.db.gate.started.db-03 : the stack changes
stack.db.ready ← stack.db.gate.formed, stack.db.gate.started.db-01, stack.db.gate.started.db-02, stack.db.gate.started.db-03 : no record that they do`
	if diff := cmp.Diff(want, strings.TrimSpace(mustMake(t, w, got).Graph())); diff != "" {
		t.Error(diff)
	}
}

// A run was killed while the members were forming one after the other: the next
// member still waits for those that the killed run made.
func TestMakeGoesOnFormingInTurn(t *testing.T) {
	w := threeHosts()
	got := built(t, w)
	s := got.Swarm.Value
	s.Services = slices.DeleteFunc(s.Services, func(svc swarm.Service) bool { return svc.Spec.Name == "db_db-03" })
	s.Configs = slices.DeleteFunc(s.Configs, func(c swarm.Config) bool { return c.Spec.Name == RecordObject("rmq", "db") })
	p := mustMake(t, w, got)
	step, _ := p.Step("stack.db.service.db-03")
	want := []ID{"stack.db.gate.started.db-01", "stack.db.gate.started.db-02"}
	if diff := cmp.Diff(want, step.After); diff != "" {
		t.Errorf("what db-03 waits for (-want +got):\n%s\n%s", diff, p.Graph())
	}
}

func TestMakeRefuses(t *testing.T) {
	tests := []struct {
		name string
		make func(*Want, state.Snapshot)
		want string
	}{
		{"an unknown system", func(_ *Want, s state.Snapshot) {
			h := s.Hosts["a"]
			h.Facts.Value.OS = state.OS{ID: "plan9", Pretty: "Plan 9"}
			s.Hosts["a"] = h
		}, `host a: its system is "Plan 9"`},
		{"a host that could not be seen", func(_ *Want, s state.Snapshot) {
			h := s.Hosts["a"]
			h.Facts.Err = fmt.Errorf("no route")
			s.Hosts["a"] = h
		}, "host a: could not be observed: no route"},
		{"an old Engine", func(_ *Want, s state.Snapshot) {
			h := s.Hosts["a"]
			h.Engine.Value = &state.Engine{Version: "19.03.1"}
			s.Hosts["a"] = h
		}, "20.10 is the oldest that works"},
		{"live-restore", func(_ *Want, s state.Snapshot) {
			h := s.Hosts["a"]
			h.Engine.Value = &state.Engine{Version: "25.0", LiveRestore: true}
			s.Hosts["a"] = h
		}, "live-restore"},
		{"a foreign swarm", func(_ *Want, s state.Snapshot) {
			h := s.Hosts["a"]
			h.Engine.Value = &state.Engine{Version: "25.0", SwarmState: "active", Manager: true, ClusterID: "xyz", NodeID: "n"}
			s.Hosts["a"] = h
		}, "it is a manager of swarm xyz"},
		{"more members than hosts", func(w *Want, _ state.Snapshot) {
			w.Inventory.Hosts = w.Inventory.Hosts[:2]
		}, "no host is free for db-03 (3 members, 2 hosts)"},
		{"a daemon.json that is not JSON", func(_ *Want, s state.Snapshot) {
			s.Hosts["a"].Facts.Value.Files[DaemonPath] = state.File{Content: []byte("{")}
		}, "is not JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := threeHosts()
			got := bare(w)
			tt.make(&w, got)
			p, err := Make(w, got)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got plan %v and error %v, want an error with %q", p, err, tt.want)
			}
		})
	}
}
