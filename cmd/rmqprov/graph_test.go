package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/state"
)

func TestGraphs(t *testing.T) {
	p := &plan.Plan{Steps: []plan.Step{
		{ID: "host.node-1.docker", Summary: `install "Docker"`},
		{ID: "swarm.init", Summary: "start the swarm", After: []plan.ID{"host.node-1.docker"}},
	}}
	var out bytes.Buffer
	if err := writeDot(&out, p); err != nil {
		t.Fatal(err)
	}
	if err := writeMermaid(&out, p); err != nil {
		t.Fatal(err)
	}
	golden(t, "graphs.txt", out.String())
}

// halfBuilt is a cluster of two hosts: db-01 runs on the first, db-02 is to come
// to the second, and the proxy runs on the first alone.
func halfBuilt() (plan.Want, state.Snapshot, *plan.Plan) {
	service := func(name, slot string) playbooks.Service {
		svc := playbooks.Service{Name: name, Slot: slot}
		svc.Spec.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{Image: "image-of:" + name}
		return svc
	}
	proxy := service("proxy_proxy", "")
	proxy.Spec.Mode.Global = &swarm.GlobalService{}
	want := plan.Want{
		Inventory: &inventory.Inventory{
			Cluster: inventory.Cluster{Name: "rmq"},
			Hosts:   []inventory.Host{{Name: "a", Address: "192.0.2.1", Zone: "x"}, {Name: "b", Address: "192.0.2.2", Zone: "y"}},
			SecurityGroup: &inventory.SecurityGroup{
				Clients: []string{"10.0.0.0/8", "10.1.0.0/16"},
			},
		},
		Stacks: []playbooks.Stack{
			{Name: "db", Services: []playbooks.Service{service("db_db-01", "db-01"), service("db_db-02", "db-02")}},
			{Name: "proxy", DependsOn: []string{"db"}, Services: []playbooks.Service{proxy}, Ports: []playbooks.Port{{Number: 5672, Protocol: "tcp", From: "clients", Note: `AMQP "here"`}}},
		},
	}
	got := state.Snapshot{Hosts: map[string]state.Host{
		"a": {Engine: state.Known[*state.Engine]{Value: &state.Engine{NodeID: "A"}}}, "b": {},
	}}
	node := swarm.Node{ID: "A"}
	node.Spec.Role, node.Spec.Labels = swarm.NodeRoleManager, map[string]string{playbooks.NodeLabel("db-01"): "true"}
	node.Status.State = swarm.NodeStateReady
	db := swarm.Service{ServiceStatus: &swarm.ServiceStatus{RunningTasks: 1, DesiredTasks: 1}}
	db.Spec.Name = "db_db-01"
	some := swarm.Service{ServiceStatus: &swarm.ServiceStatus{RunningTasks: 1, DesiredTasks: 2}}
	some.Spec.Name = "proxy_proxy"
	got.Swarm.Value = &state.Swarm{Nodes: []swarm.Node{node}, Services: []swarm.Service{db, some}}
	p := &plan.Plan{Steps: []plan.Step{{ID: "host.b.node", Host: "b", Action: plan.UpdateNode{Set: map[string]string{playbooks.NodeLabel("db-02"): "true"}}}}}
	return want, got, p
}

func TestGraphsOfTheCluster(t *testing.T) {
	c := clusterOf(halfBuilt())
	var out bytes.Buffer
	for _, form := range []string{"dot", "mermaid"} {
		fmt.Fprintf(&out, "-- %s --\n", form)
		if err := graphs[form].cluster(&out, c); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "cluster.txt", out.String())
	var picture bytes.Buffer
	if err := graphs["svg"].cluster(&picture, c); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(picture.String(), "stroke-dasharray"); n != 2 {
		t.Errorf("%d things are drawn as not running, and two are:\n%s", n, picture.String())
	}
}
