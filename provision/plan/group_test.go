package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/cloud/group"
	"github.com/rmqprov/rmqprov/provision/state"
)

// onEC2 makes three hosts instances, and their cluster's group one to be made.
func onEC2() (Want, *group.Seen) {
	w := threeHosts()
	w.Inventory.SecurityGroup = &inventory.SecurityGroup{Name: "rmq", Clients: []string{"172.31.0.0/16"}, Operators: []string{"203.0.113.7/32"}}
	w.Stacks[1].Ports = []playbooks.Port{
		{Name: "amqp", Number: 5672, Protocol: "tcp", From: "clients", Note: "AMQP"},
		{Name: "console", Number: 15672, Protocol: "tcp", From: "operators"},
	}
	seen := &group.Seen{Region: "ap-southeast-1"}
	for i := range w.Inventory.Hosts {
		h := &w.Inventory.Hosts[i]
		h.InstanceID = fmt.Sprintf("i-%08d", i)
		seen.Hosts = append(seen.Hosts, group.Host{Name: h.Name, Instance: h.InstanceID, VPC: "vpc-1",
			Interface: group.Interface{ID: "eni-" + h.Name, Owner: h.InstanceID, Groups: []string{"sg-default"}}})
	}
	return w, seen
}

// made adds to what was seen the group that is wanted.
func made(w Want, seen *group.Seen) {
	g := &group.Group{ID: "sg-1", Name: "rmq", VPC: "vpc-1"}
	for i, r := range newBuilder(w, state.Snapshot{}).groupWant().Rules {
		g.Rules = append(g.Rules, group.SeenRule{ID: fmt.Sprintf("sgr-%d", i), Rule: r, Tags: map[string]string{group.OwnerTag: "rmq"}})
	}
	seen.Group = g
	for i := range seen.Hosts {
		seen.Hosts[i].Groups = append(seen.Hosts[i].Groups, g.ID)
	}
}

// settled is a cluster on EC2 on which nothing is to be done.
func settled(t *testing.T) (Want, state.Snapshot) {
	t.Helper()
	w, seen := onEC2()
	got := built(t, w)
	got.Swarm.Value.Networks[0].Labels = map[string]string{OwnerLabel: "rmq"}
	made(w, seen)
	got.Group.Value = seen
	if p := mustMake(t, w, got); !p.Empty() {
		t.Fatalf("something is to be done:\n%s", p.Graph())
	}
	return w, got
}

func waits(t *testing.T, p *Plan, id ID) []ID {
	t.Helper()
	s, ok := p.Step(id)
	if !ok {
		t.Fatalf("no step %s in\n%s", id, ids(p))
	}
	return s.After
}

func TestGroupOpensBeforeWhatNeedsIt(t *testing.T) {
	w, seen := onEC2()
	got := bare(w)
	got.Group.Value = seen
	p := mustMake(t, w, got)
	const peers, amqp = ID("security_group.rule.tcp-2377-self"), ID("security_group.rule.tcp-5672-172.31.0.0/16")
	for _, c := range []struct {
		step    ID
		after   []ID
		without []ID
	}{
		{peers, []ID{"security_group.create"}, nil},
		{"security_group.attach.b", []ID{"security_group.create"}, nil},
		{"swarm.init", []ID{peers, "security_group.attach.a"}, []ID{"security_group.attach.b"}},
		{"host.b.swarm", []ID{peers, "swarm.init", "security_group.attach.b"}, []ID{"security_group.attach.c"}},
		{"stack.proxy.service.proxy", []ID{peers, amqp}, nil},
		{"host.a.docker", nil, []ID{peers, "security_group.create"}},
		{"host.a.image.db:1", nil, []ID{peers}},
	} {
		have := waits(t, p, c.step)
		for _, id := range c.after {
			if !slices.Contains(have, id) {
				t.Errorf("%s does not wait for %s", c.step, id)
			}
		}
		for _, id := range c.without {
			if slices.Contains(have, id) {
				t.Errorf("%s waits for %s", c.step, id)
			}
		}
	}
}

func TestGroupIsMendedAndNothingElse(t *testing.T) {
	foreign := group.SeenRule{ID: "sgr-x", Rule: group.Rule{Protocol: "tcp", From: 3306, To: 3306, Source: "0.0.0.0/0"}}
	for _, c := range []struct {
		name     string
		drift    func(*Want, *group.Seen)
		want     string
		disrupts string
	}{
		{"a rule is missing", func(_ *Want, s *group.Seen) { s.Group.Rules = s.Group.Rules[1:] }, "security_group.rule.tcp-22-203.0.113.7/32", ""},
		{"a host lost the group", func(_ *Want, s *group.Seen) { s.Hosts[1].Groups = []string{"sg-default"} }, "security_group.attach.b", ""},
		{"a rule is for nothing any more", func(w *Want, _ *group.Seen) { w.Inventory.SecurityGroup.Clients = nil }, "security_group.revoke.sgr-2", ""},
		{"somebody added a rule", func(_ *Want, s *group.Seen) { s.Group.Rules = append(s.Group.Rules, foreign) }, "security_group.revoke.sgr-x",
			"closes 3306/tcp from 0.0.0.0/0, which somebody else opened"},
		{"somebody attached the group", func(_ *Want, s *group.Seen) {
			s.Others = []group.Interface{{ID: "eni-x", Owner: "i-x", Groups: []string{"sg-1", "sg-2"}}}
		}, "security_group.detach.eni-x", "cuts i-x off from the hosts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, got := settled(t)
			c.drift(&w, got.Group.Value)
			p := mustMake(t, w, got)
			if ids(p) != c.want {
				t.Fatalf("got\n%s\nwant\n%s", ids(p), c.want)
			}
			if s := p.Steps[0]; s.Disrupts != c.disrupts || len(s.Changes) == 0 {
				t.Errorf("disrupts %q, changes %v", s.Disrupts, s.Changes)
			}
		})
	}
}

// A new port is open before a member moves to it, and the old one closes only
// when none is left that uses it.
func TestGroupFollowsAPortThatMoves(t *testing.T) {
	w, got := settled(t)
	w.Stacks[1].Ports[0].Number = 5673
	w.Stacks[1].Services[0].Spec.TaskTemplate.ContainerSpec.Image = "proxy:2"
	p := mustMake(t, w, got)
	if after := waits(t, p, "stack.proxy.service.proxy"); !slices.Contains(after, "security_group.rule.tcp-5673-172.31.0.0/16") {
		t.Errorf("the member moves after %v", after)
	}
	if after := waits(t, p, "security_group.revoke.sgr-2"); !slices.Contains(after, "stack.proxy.ready") {
		t.Errorf("the old port closes after %v", after)
	}
}

// A member that lost the group is no use to one that joins through it.
func TestGroupIsBackBeforeOthersJoin(t *testing.T) {
	w, got := settled(t)
	got.Group.Value.Hosts[0].Groups = []string{"sg-default"}
	c := got.Hosts["c"]
	c.Engine.Value = &state.Engine{Version: "26.1.5", SwarmState: "inactive"}
	got.Hosts["c"] = c
	got.Swarm.Value.Nodes = got.Swarm.Value.Nodes[:2]
	if after := waits(t, mustMake(t, w, got), "host.c.swarm"); !slices.Contains(after, "security_group.attach.a") {
		t.Errorf("it joins after %v", after)
	}
}

func TestGroupRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*state.Snapshot)
		want  string
	}{
		{"not seen", func(s *state.Snapshot) {
			s.Group = state.Known[*group.Seen]{Err: errors.New("AWS denies ec2:DescribeSecurityGroups")}
		}, "the security group could not be seen: AWS denies ec2:DescribeSecurityGroups"},
		{"two VPCs", func(s *state.Snapshot) { s.Group.Value.Hosts[2].VPC = "vpc-2" }, "several VPCs"},
		{"no instance", func(s *state.Snapshot) { s.Group.Value.Hosts[2].Instance = "" }, "host c: a security group can be attached to EC2 instances only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, got := settled(t)
			c.spoil(&got)
			_, err := Make(w, got)
			if refused, ok := errors.AsType[Refused](err); !ok || !strings.Contains(refused.Error(), c.want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestDestroyTakesTheGroupLast(t *testing.T) {
	w, got := settled(t)
	p, _, err := Destroy(w, got, DestroyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "security_group.detach.a\nsecurity_group.detach.b\nsecurity_group.detach.c\nsecurity_group.delete"; !strings.HasSuffix(ids(p), want) {
		t.Errorf("got\n%s\nwant at the end\n%s", ids(p), want)
	}
	if after := waits(t, p, "security_group.detach.b"); !slices.Contains(after, "host.b.daemon") || !slices.Contains(after, "host.a.swarm") {
		t.Errorf("the group goes from b after %v", after)
	}
}

func TestDestroyLeavesTheGroupToASwarmThatStays(t *testing.T) {
	w, got := settled(t)
	theirs := swarm.Service{}
	theirs.Spec.Name = "theirs"
	theirs.Spec.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{}
	got.Swarm.Value.Services = append(got.Swarm.Value.Services, theirs)
	p, notes, err := Destroy(w, got, DestroyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(ids(p), "security_group") || !strings.Contains(strings.Join(notes, "\n"), "security group sg-1 stays as it is: the swarm needs its ports") {
		t.Errorf("notes %q, steps\n%s", notes, ids(p))
	}
}

func TestDestroyRefusesToLeaveAHostWithoutGroup(t *testing.T) {
	w, got := settled(t)
	got.Group.Value.Hosts[0].Groups = []string{"sg-1"}
	_, _, err := Destroy(w, got, DestroyOptions{})
	if err == nil || !strings.Contains(err.Error(), "host a: sg-1 is the only security group") {
		t.Errorf("error %v", err)
	}
}
