package drawing

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
)

// prod is a cluster over three zones in which a member is still to come.
func prod() Cluster {
	c := Cluster{
		Name:  "prod",
		Reach: map[string]string{"clients": "10.0.0.0/8", "operators": "198.51.100.0/24"},
		Stacks: []Stack{
			{Name: "consul", Images: []string{"hashicorp/consul:1.20"}},
			{Name: "rabbitmq", DependsOn: []string{"consul"}, Images: []string{"rabbitmq:4.1-management"}},
			{Name: "haproxy", DependsOn: []string{"rabbitmq"}, Images: []string{"haproxy:3.0"}},
		},
		Ports: []Port{
			{2377, "tcp", "hosts", "", "the swarm's control"},
			{7946, "tcp", "hosts", "", "the swarm's gossip"},
			{7946, "udp", "hosts", "", "the swarm's gossip"},
			{4789, "udp", "hosts", "", "overlay networks"},
			{22, "tcp", "operators", "", "SSH"},
			{8500, "tcp", "operators", "consul", "Consul's HTTP API and console"},
			{5672, "tcp", "clients", "haproxy", "AMQP 0-9-1 and 1.0"},
			{15672, "tcp", "operators", "haproxy", "RabbitMQ's management console and HTTP API"},
			{1936, "tcp", "operators", "haproxy", "HAProxy's statistics, and /metrics for Prometheus"},
		},
	}
	for i, zone := range []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"} {
		c.Zones = append(c.Zones, Zone{Name: zone, Hosts: []Host{{
			Name: fmt.Sprintf("node-%d", i+1), Address: fmt.Sprintf("10.0.%d.11", i+1), Role: "manager",
			Holds: []Holding{
				{Name: fmt.Sprintf("consul-0%d", i+1), Stack: "consul"},
				{Name: fmt.Sprintf("rabbitmq-0%d", i+1), Stack: "rabbitmq", Absent: i == 2},
				{Name: "haproxy", Stack: "haproxy"},
			},
		}}})
	}
	return c
}

func TestCluster(t *testing.T) {
	var out bytes.Buffer
	if err := prod().Draw(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join(shown, "cluster.svg"), out.Bytes())
}

func TestClusterOfManyHosts(t *testing.T) {
	c := prod()
	c.Zones, c.Reach = []Zone{{}}, nil
	for i := range 9 {
		c.Zones[0].Hosts = append(c.Zones[0].Hosts, Host{Name: fmt.Sprintf("a-host-with-quite-a-long-name-%03d", i+1), Address: "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"})
	}
	var out bytes.Buffer
	if err := c.Draw(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/hosts.svg", out.Bytes())
}
