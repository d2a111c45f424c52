package main

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/rmqprov/rmqprov/inventory"
)

// ssh believes the pinned keys of a host and nothing else, and leaves its
// bastion to the user's own files: -o does not reach those.
func TestSSHBelievesPinnedKeys(t *testing.T) {
	common := inventory.SSH{HostKeys: "ec2", KnownHosts: "/home/ann/.config/rmqprov/rmq/known_hosts", Jump: "bastion"}
	got := strings.Join(sshArguments(common, inventory.Host{Address: "10.0.0.1"}), " ")
	want := `-o UserKnownHostsFile="/home/ann/.config/rmqprov/rmq/known_hosts" -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -J bastion 10.0.0.1`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMatches(t *testing.T) {
	at := func(line int) hcl.Range {
		return hcl.Range{Filename: "x.hcl", Start: hcl.Pos{Line: line}, End: hcl.Pos{Line: line}}
	}
	inv := &inventory.Inventory{
		Discover: []inventory.Discover{
			{Filters: map[string][]string{"tag:Cluster": {"rmq"}}, Range: at(1)},
			{Filters: map[string][]string{"vpc-id": {"vpc-1", "vpc-2"}}, Range: at(2)},
		},
		Hosts: []inventory.Host{{Name: "a", InstanceID: "i-1", Range: at(1)}, {Name: "b", InstanceID: "i-2", Range: at(1)}, {Name: "mine", Range: at(9)}},
	}
	var got []string
	for _, d := range matches(inv) {
		got = append(got, d.Detail)
	}
	want := []string{
		`tag:Cluster = "rmq" matches 2 instances that run: a (i-1), b (i-2).`,
		`vpc-id = "vpc-1 or vpc-2" matches no instance that is not named already.`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
