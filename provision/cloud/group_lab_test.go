//go:build lab

package cloud

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/cloud/group"
)

// fleet is a cluster of two instances in a VPC of its own.
type fleet struct {
	account
	inv *inventory.Inventory
	vpc string
}

func newFleet(t *testing.T, cluster string) fleet {
	t.Helper()
	a := in(t, region)
	vpc, subnet := a.vpc()
	inv := &inventory.Inventory{
		Cluster:       inventory.Cluster{Name: cluster, Region: region},
		SecurityGroup: &inventory.SecurityGroup{Name: cluster, Clients: []string{"172.31.0.0/16", "2001:db8::/32"}, Operators: []string{"203.0.113.7/32"}},
		Networks:      []inventory.Network{{Name: "prod", Encrypted: true}},
	}
	for i, id := range a.run(2, subnet, map[string]string{"Cluster": cluster}) {
		inv.Hosts = append(inv.Hosts, inventory.Host{Name: fmt.Sprintf("node-%d", i+1), InstanceID: id})
	}
	return fleet{a, inv, vpc}
}

func (f fleet) want() group.Want {
	return group.Wanted(f.inv, []group.Port{
		{Stack: "haproxy", Name: "amqp", Number: 5672, Protocol: "tcp", From: "clients", Note: "AMQP"},
		{Stack: "consul", Name: "console", Number: 8500, Protocol: "tcp", From: "operators", Note: "Consul's console"},
	})
}

func (f fleet) observe() group.Seen {
	f.t.Helper()
	seen, err := New(f.inv).Observe(f.t.Context(), f.inv)
	if err != nil {
		f.t.Fatal(err)
	}
	return *seen
}

func (f fleet) diff() []group.Item {
	f.t.Helper()
	items, refused := group.Diff(f.want(), f.observe())
	if len(refused) > 0 {
		f.t.Fatalf("refused: %+v", refused)
	}
	return items
}

// carry does items in their order.
func carry(ctx context.Context, c *EC2, items []group.Item) error {
	for _, i := range items {
		if err := c.Do(ctx, i.Deed); err != nil {
			return fmt.Errorf("%s: %w", i.ID, err)
		}
	}
	return nil
}

func (f fleet) apply() {
	f.t.Helper()
	if err := carry(f.t.Context(), New(f.inv), f.diff()); err != nil {
		f.t.Fatal(err)
	}
	if left := f.diff(); len(left) > 0 {
		f.t.Fatalf("after it was carried out, the plan still has %v", summaries(left))
	}
}

func summaries(items []group.Item) []string {
	var all []string
	for _, i := range items {
		all = append(all, i.Summary)
	}
	return all
}

// byHand adds a rule as somebody else would.
func (f fleet) byHand(groupID string, port int32, cidr string) {
	f.t.Helper()
	_, err := f.AuthorizeSecurityGroupIngress(f.t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &groupID, IpProtocol: aws.String("tcp"), FromPort: &port, ToPort: &port, CidrIp: &cidr,
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// makeGroup makes a group as somebody else would.
func (f fleet) makeGroup(name string) string {
	f.t.Helper()
	out, err := f.CreateSecurityGroup(f.t.Context(), &ec2.CreateSecurityGroupInput{GroupName: &name, Description: aws.String("by hand"), VpcId: &f.vpc})
	if err != nil {
		f.t.Fatal(err)
	}
	return *out.GroupId
}

func (f fleet) setGroups(h group.Host, groups []string) {
	f.t.Helper()
	_, err := f.ModifyNetworkInterfaceAttribute(f.t.Context(), &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &h.ID, Groups: groups})
	if err != nil {
		f.t.Fatal(err)
	}
}

// opened lists a group's rules and their tags by the SDK, past what is tested.
func (f fleet) opened(id string) []string {
	f.t.Helper()
	out, err := f.DescribeSecurityGroupRules(f.t.Context(), &ec2.DescribeSecurityGroupRulesInput{
		Filters: []types.Filter{{Name: aws.String("group-id"), Values: []string{id}}},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	var all []string
	for _, r := range out.SecurityGroupRules {
		if aws.ToBool(r.IsEgress) {
			continue
		}
		from := aws.ToString(r.CidrIpv4) + aws.ToString(r.CidrIpv6)
		if r.ReferencedGroupInfo != nil {
			from = strings.ReplaceAll(aws.ToString(r.ReferencedGroupInfo.GroupId), id, "self")
		}
		all = append(all, fmt.Sprintf("%s %d %s %s", *r.IpProtocol, *r.FromPort, from, tag(r.Tags, group.OwnerTag)))
	}
	slices.Sort(all)
	return all
}

func TestLabGroup(t *testing.T) {
	connected(t)
	f := newFleet(t, "life")
	before := f.observe()
	f.apply()
	seen := f.observe()
	want := []string{
		"50 0 self life", "tcp 22 203.0.113.7/32 life", "tcp 2377 self life", "tcp 5672 172.31.0.0/16 life", "tcp 5672 2001:db8::/32 life",
		"tcp 7946 self life", "tcp 8500 203.0.113.7/32 life", "udp 4789 self life", "udp 7946 self life",
	}
	if got := f.opened(seen.Group.ID); !slices.Equal(got, want) {
		t.Errorf("rules are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for i, h := range seen.Hosts {
		if !slices.Equal(h.Groups, append(before.Hosts[i].Groups, seen.Group.ID)) {
			t.Errorf("groups of %s are %v, and were %v", h.Name, h.Groups, before.Hosts[i].Groups)
		}
	}
	items, refused := group.Remove(f.want(), seen)
	if err := carry(t.Context(), New(f.inv), items); err != nil || len(refused) > 0 {
		t.Fatal(err, refused)
	}
	after := f.observe()
	if after.Group != nil || !slices.EqualFunc(after.Hosts, before.Hosts, func(a, b group.Host) bool { return slices.Equal(a.Groups, b.Groups) }) {
		t.Errorf("after its removal there is %+v", after)
	}
	if err := carry(t.Context(), New(f.inv), items); err != nil {
		t.Errorf("a second removal: %v", err)
	}
}

func TestLabGroupDrift(t *testing.T) {
	connected(t)
	f := newFleet(t, "drift")
	f.apply()
	seen := f.observe()
	id := seen.Group.ID
	f.byHand(id, 3306, "0.0.0.0/0")
	bastion := f.makeBastion(id)
	f.inv.SecurityGroup.Operators = []string{"198.51.100.0/24"}
	items := f.diff()
	var foreign, stale []string
	for _, i := range items {
		switch {
		case i.Foreign:
			foreign = append(foreign, i.Summary)
		case i.Kind == group.KindDelete:
			stale = append(stale, i.Summary)
		}
	}
	slices.Sort(stale)
	if want := []string{"close 22/tcp from 203.0.113.7/32", "close 8500/tcp from 203.0.113.7/32"}; !slices.Equal(stale, want) {
		t.Errorf("stale: %q, want %q", stale, want)
	}
	if want := []string{"close 3306/tcp from 0.0.0.0/0", fmt.Sprintf("detach security group %s from %s", id, bastion)}; !slices.Equal(foreign, want) {
		t.Errorf("drift: %q, want %q", foreign, want)
	}
	f.apply()
}

// makeBastion runs an instance that has the group, and is no host.
func (f fleet) makeBastion(groupID string) string {
	f.t.Helper()
	subnets, err := f.DescribeSubnets(f.t.Context(), &ec2.DescribeSubnetsInput{Filters: filters(map[string][]string{"vpc-id": {f.vpc}})})
	if err != nil {
		f.t.Fatal(err)
	}
	id := f.run(1, *subnets.Subnets[0].SubnetId, map[string]string{"Name": "bastion"})[0]
	all, err := instances(f.t.Context(), f.Client, filters(map[string][]string{"instance-id": {id}}))
	if err != nil {
		f.t.Fatal(err)
	}
	nic := primary(all[0])
	f.setGroups(group.Host{Interface: group.Interface{ID: *nic.NetworkInterfaceId}}, append(groupIDs(nic.Groups), groupID))
	return id
}

// The interface of an instance that has ended is no drift.
func TestLabGroupOfAnEndedInstance(t *testing.T) {
	connected(t)
	f := newFleet(t, "ended")
	f.apply()
	bastion := f.makeBastion(f.observe().Group.ID)
	if n := len(f.observe().Others); n != 1 {
		t.Fatalf("%d others, want the bastion", n)
	}
	if _, err := f.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{bastion}}); err != nil {
		t.Fatal(err)
	}
	if left := f.diff(); len(left) > 0 {
		t.Errorf("to do: %q", summaries(left))
	}
	items, refused := group.Remove(f.want(), f.observe())
	if err := carry(t.Context(), New(f.inv), items); err != nil || len(refused) > 0 {
		t.Fatal(err, refused)
	}
}

// A rule or an attachment that goes missing comes back.
func TestLabGroupRepair(t *testing.T) {
	connected(t)
	f := newFleet(t, "repair")
	f.apply()
	seen := f.observe()
	if err := New(f.inv).Do(t.Context(), group.Revoke{Target: group.Target{ID: seen.Group.ID}, RuleID: seen.Group.Rules[0].ID}); err != nil {
		t.Fatal(err)
	}
	f.setGroups(seen.Hosts[1], seen.Hosts[1].Groups[:1])
	if got := f.diff(); len(got) != 2 {
		t.Errorf("to mend are %q", summaries(got))
	}
	f.apply()
}

func TestLabAdopt(t *testing.T) {
	connected(t)
	f := newFleet(t, "adopt")
	id := f.makeGroup("theirs")
	f.byHand(id, 443, "0.0.0.0/0")
	f.byHand(id, 8500, "203.0.113.7/32") // is what is wanted, and stays theirs
	theirs := f.opened(id)
	f.inv.SecurityGroup.Adopt = id
	f.apply()
	if got := f.opened(id); len(got) != 10 {
		t.Errorf("rules: %q", got)
	}
	f.inv.SecurityGroup.Clients = nil
	f.apply()
	if got := strings.Join(f.opened(id), "\n"); strings.Contains(got, "5672") || !strings.Contains(got, "443") {
		t.Errorf("rules after clients left:\n%s", got)
	}
	items, refused := group.Remove(f.want(), f.observe())
	if err := carry(t.Context(), New(f.inv), items); err != nil || len(refused) > 0 {
		t.Fatal(err, refused)
	}
	if got := f.opened(id); !slices.Equal(got, theirs) {
		t.Errorf("left are %q, and before rmqprov came there were %q", got, theirs)
	}
}

func TestLabTwoRunsAtOnce(t *testing.T) {
	connected(t)
	f := newFleet(t, "twice")
	items := f.diff()
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if err := carry(t.Context(), New(f.inv), items); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if left := f.diff(); len(left) > 0 {
		t.Errorf("left to do: %q", summaries(left))
	}
	if err := carry(t.Context(), New(f.inv), items); err != nil {
		t.Errorf("a third time: %v", err)
	}
}

func TestLabNameTaken(t *testing.T) {
	connected(t)
	f := newFleet(t, "taken")
	id := f.makeGroup("taken")
	_, refused := group.Diff(f.want(), f.observe())
	if len(refused) != 1 || !strings.Contains(refused[0].Reason, id) {
		t.Errorf("refused: %+v", refused)
	}
}

func TestLabLimits(t *testing.T) {
	connected(t)
	f := newFleet(t, "limits")
	seen := f.observe()
	five := seen.Hosts[0].Groups
	for len(five) < group.MaxGroups {
		five = append(five, f.makeGroup(fmt.Sprintf("g%d", len(five))))
	}
	f.setGroups(seen.Hosts[0], five)
	for n := range 70 {
		f.inv.SecurityGroup.Clients = append(f.inv.SecurityGroup.Clients, fmt.Sprintf("10.%d.0.0/16", n))
	}
	_, refused := group.Diff(f.want(), f.observe())
	if len(refused) != 2 || !strings.Contains(refused[0].Reason, "rules for IPv4") || refused[1].Host != "node-1" {
		t.Errorf("refused: %+v", refused)
	}
}

// Each action that rmqprov calls is named when it is denied.
func TestLabDeniedDeeds(t *testing.T) {
	w, _ := connected(t)
	f := newFleet(t, "denied")
	items := f.diff()
	for _, c := range []struct{ called, denied, message string }{
		{"CreateSecurityGroup", "ec2:CreateSecurityGroup", "You are not authorized to perform this operation."},
		{"CreateSecurityGroup", "ec2:CreateTags", "User: arn:aws:iam::1:user/u is not authorized to perform: ec2:CreateTags on resource: x"},
		{"AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupIngress", "You are not authorized to perform this operation."},
		{"ModifyNetworkInterfaceAttribute", "ec2:ModifyNetworkInterfaceAttribute", "You are not authorized to perform this operation."},
	} {
		w.fail(c.called, "UnauthorizedOperation", c.message, 1)
		err := carry(t.Context(), New(f.inv), items)
		if denied, ok := errors.AsType[*Denied](err); !ok || denied.Action != c.denied {
			t.Errorf("%s: error %v", c.denied, err)
		}
	}
	f.apply()
	for _, action := range []string{"DescribeInstances", "DescribeSecurityGroups", "DescribeSecurityGroupRules", "DescribeNetworkInterfaces"} {
		w.fail(action, "UnauthorizedOperation", "You are not authorized to perform this operation.", 1)
		_, err := New(f.inv).Observe(t.Context(), f.inv)
		if denied, ok := errors.AsType[*Denied](err); !ok || denied.Action != "ec2:"+action {
			t.Errorf("%s: error %v", action, err)
		}
	}
}

// AWS's answers that two runs bring about are no failures, and throttling is
// waited out.
func TestLabAnswersThatAreNoFailures(t *testing.T) {
	w, _ := connected(t)
	f := newFleet(t, "answers")
	w.fail("AuthorizeSecurityGroupIngress", "RequestLimitExceeded", "Request limit exceeded.", 2)
	w.fail("ModifyNetworkInterfaceAttribute", "Unavailable", "The service is unavailable.", 1)
	f.apply()
	id := f.observe().Group.ID
	target := group.Target{Region: region, VPC: f.vpc, Cluster: "answers", ID: id}
	for _, h := range f.observe().Hosts {
		if err := New(f.inv).Do(t.Context(), group.Detach{Target: target, Interface: h.ID}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		action, code string
		deed         group.Deed
	}{
		{"AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate", group.Authorize{Target: target, Rule: group.Rule{Protocol: "tcp", From: 1, To: 1, Source: group.Self}}},
		{"RevokeSecurityGroupIngress", "InvalidPermission.NotFound", group.Revoke{Target: target, RuleID: "sgr-1"}},
		{"RevokeSecurityGroupIngress", "InvalidSecurityGroupRuleId.NotFound", group.Revoke{Target: target, RuleID: "sgr-1"}},
		{"DescribeNetworkInterfaces", "InvalidNetworkInterfaceID.NotFound", group.Detach{Target: target, Interface: "eni-1"}},
		{"DeleteSecurityGroup", "InvalidGroup.NotFound", group.Delete{Target: target}},
		{"DeleteSecurityGroup", "DependencyViolation", group.Delete{Target: target}}, // once: EC2 has not let go yet
	} {
		w.fail(c.action, c.code, "as injected", 1)
		if err := New(f.inv).Do(t.Context(), c.deed); err != nil {
			t.Errorf("%s after %s: %v", c.action, c.code, err)
		}
	}
}

// What waits after a group was made is not disturbed by a part of EC2 that does
// not know it yet.
func TestLabGroupNotSeenEverywhereYet(t *testing.T) {
	w, _ := connected(t)
	f := newFleet(t, "eventual")
	w.fail("AuthorizeSecurityGroupIngress", "InvalidGroup.NotFound", "The security group does not exist", 1)
	f.apply()
}

// A description follows what the rule is for.
func TestLabDescription(t *testing.T) {
	w, _ := connected(t)
	f := newFleet(t, "words")
	f.inv.SecurityGroup.Clients = []string{"172.31.0.0/16"}
	f.apply()
	seen := f.observe()
	f.inv.SecurityGroup.Operators = append(f.inv.SecurityGroup.Operators, f.inv.SecurityGroup.Clients[0])
	want := group.Wanted(f.inv, []group.Port{
		{Stack: "haproxy", Name: "amqp", Number: 5672, Protocol: "tcp", From: "operators", Note: "for tests"},
	})
	items, _ := group.Diff(want, seen)
	changed := slices.DeleteFunc(slices.Clone(items), func(i group.Item) bool { _, ok := i.Deed.(group.Describe); return !ok })
	if len(changed) != 1 {
		t.Fatalf("descriptions to change: %q", summaries(items))
	}
	if err := carry(t.Context(), New(f.inv), changed); err != nil || w.count("UpdateSecurityGroupRuleDescriptionsIngress") != 1 {
		t.Error(err)
	}
	found := map[string]bool{}
	for _, r := range f.observe().Group.Rules {
		found[r.Description] = true
	}
	if !found["words: haproxy amqp: for tests"] {
		t.Errorf("descriptions are %q", slices.Sorted(maps.Keys(found)))
	}
}
