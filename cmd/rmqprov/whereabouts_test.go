package main

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
)

func publishing(name string, port uint32, replicas uint64, how swarm.PortConfigPublishMode) playbooks.Service {
	s := playbooks.Service{Name: name}
	s.Spec.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{PublishedPort: port, PublishMode: how}}}
	if replicas > 0 {
		s.Spec.Mode.Replicated = &swarm.ReplicatedService{Replicas: &replicas}
	} else {
		s.Spec.Mode.Global = &swarm.GlobalService{}
	}
	return s
}

func TestPortsThatSomeHostsHave(t *testing.T) {
	var servers []playbooks.Service
	for i := range 3 {
		servers = append(servers, publishing(fmt.Sprintf("consul_%d", i), 8500, 1, swarm.PortConfigPublishModeHost))
	}
	stacks := []playbooks.Stack{{Services: servers}, {Services: []playbooks.Service{
		{Name: "quiet"},
		publishing("haproxy", 5672, 0, swarm.PortConfigPublishModeHost),
		publishing("prometheus", 9090, 1, swarm.PortConfigPublishModeHost),
		publishing("meshed", 8080, 1, swarm.PortConfigPublishModeIngress),
	}}}
	for hosts, want := range map[int]map[int][]string{
		1: {},
		3: {9090: {"prometheus"}},
		5: {9090: {"prometheus"}, 8500: {"consul_0", "consul_1", "consul_2"}},
	} {
		if diff := cmp.Diff(want, partial(stacks, hosts)); diff != "" {
			t.Errorf("of %d hosts: %s", hosts, diff)
		}
	}
}

func TestWhereabouts(t *testing.T) {
	inv := &inventory.Inventory{Hosts: []inventory.Host{{Name: "node-1"}, {Name: "node-2"}}}
	w := whereabouts{9090: {"node-2"}}
	if got := w.hosts(inv, 9090); len(got) != 1 || got[0].Name != "node-2" {
		t.Errorf("9090 is on %v", got)
	}
	if got := w.hosts(inv, 5672); len(got) != 2 {
		t.Errorf("5672 is on %v", got)
	}
}
