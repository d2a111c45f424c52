package cloud

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/cloud/group"
)

// Observe sees the security group of an inventory whose hosts are all known. It
// changes nothing, and asks AWS nothing where the inventory has no
// security_group block: then the result is nil.
func (c *EC2) Observe(ctx context.Context, inv *inventory.Inventory) (*group.Seen, error) {
	if inv.SecurityGroup == nil {
		return nil, nil
	}
	region, err := commonRegion(inv.Hosts)
	if err != nil {
		return nil, err
	}
	o := observer{inv: inv, seen: &group.Seen{}}
	if o.client, o.seen.Region, err = c.client(ctx, region); err != nil {
		return nil, err
	}
	if err := o.hosts(ctx, c); err != nil {
		return nil, err
	}
	if err := o.group(ctx); err != nil {
		return nil, failure("looking for the security group in "+o.seen.Region, err)
	}
	if o.seen.Group == nil {
		return o.seen, nil
	}
	if err := o.rules(ctx); err != nil {
		return nil, failure("reading the rules of security group "+o.seen.Group.ID, err)
	}
	if err := o.others(ctx); err != nil {
		return nil, failure("looking for the interfaces that have security group "+o.seen.Group.ID, err)
	}
	return o.seen, nil
}

// commonRegion returns the one region that hosts are in; "" where none says.
func commonRegion(hosts []inventory.Host) (string, error) {
	region, first := "", ""
	for _, h := range hosts {
		switch r := regionOf(h); {
		case r == "" || r == region:
		case region == "":
			region, first = r, h.Name
		default:
			return "", fmt.Errorf("a security group is in one region, and host %s is in %s and host %s in %s: narrow the discover blocks, or leave the security_group block out", first, region, h.Name, r)
		}
	}
	return region, nil
}

type observer struct {
	inv    *inventory.Inventory
	client *ec2.Client
	seen   *group.Seen
}

func (o *observer) hosts(ctx context.Context, c *EC2) error {
	byID, err := c.byID(ctx, o.inv.Hosts)
	if err != nil {
		return err
	}
	for _, h := range o.inv.Hosts {
		seen := group.Host{Name: h.Name, Instance: h.InstanceID}
		i, ok := byID[h.InstanceID]
		if nic := primary(i); ok && nic != nil {
			seen.VPC = aws.ToString(i.VpcId)
			seen.Interface = group.Interface{ID: aws.ToString(nic.NetworkInterfaceId), Owner: h.InstanceID, Groups: groupIDs(nic.Groups)}
		}
		o.seen.Hosts = append(o.seen.Hosts, seen)
	}
	return nil
}

func groupIDs(groups []types.GroupIdentifier) []string {
	var ids []string
	for _, g := range groups {
		ids = append(ids, aws.ToString(g.GroupId))
	}
	return ids
}

// group finds the group: the adopted one by id, the cluster's own by its tag.
func (o *observer) group(ctx context.Context) error {
	sg := o.inv.SecurityGroup
	if sg.Adopt != "" {
		found, err := groups(ctx, o.client, map[string][]string{"group-id": {sg.Adopt}})
		if err == nil && len(found) == 1 {
			o.seen.Group = seenGroup(found[0])
		}
		return err
	}
	vpc := o.vpc()
	if vpc == "" {
		return nil
	}
	found, err := ownGroup(ctx, o.client, vpc, o.inv.Cluster.Name)
	if err != nil || found != nil {
		o.seen.Group = found
		return err
	}
	taken, err := groups(ctx, o.client, map[string][]string{"vpc-id": {vpc}, "group-name": {sg.Name}})
	if err == nil && len(taken) > 0 {
		o.seen.Taken = aws.ToString(taken[0].GroupId)
	}
	return err
}

func (o *observer) vpc() string {
	for _, h := range o.seen.Hosts {
		if h.VPC != "" {
			return h.VPC
		}
	}
	return ""
}

// ownGroup finds the group that carries a cluster's tag; nil where there is none.
func ownGroup(ctx context.Context, client *ec2.Client, vpc, cluster string) (*group.Group, error) {
	found, err := groups(ctx, client, map[string][]string{"vpc-id": {vpc}, "tag:" + group.OwnerTag: {cluster}})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("%s has %d security groups with the tag %s = %s (%s and %s): delete one of them, or take its tag away",
			vpc, len(found), group.OwnerTag, cluster, *found[0].GroupId, *found[1].GroupId)
	}
	return seenGroup(found[0]), nil
}

func groups(ctx context.Context, client *ec2.Client, by map[string][]string) ([]types.SecurityGroup, error) {
	var all []types.SecurityGroup
	pages := ec2.NewDescribeSecurityGroupsPaginator(client, &ec2.DescribeSecurityGroupsInput{Filters: filters(by), MaxResults: aws.Int32(pageSize)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.SecurityGroups...)
	}
	return all, nil
}

func seenGroup(g types.SecurityGroup) *group.Group {
	return &group.Group{ID: aws.ToString(g.GroupId), Name: aws.ToString(g.GroupName), VPC: aws.ToString(g.VpcId), Tags: tagMap(g.Tags)}
}

func tagMap(tags []types.Tag) map[string]string {
	m := map[string]string{}
	for _, t := range tags {
		m[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return m
}

func (o *observer) rules(ctx context.Context) error {
	id := o.seen.Group.ID
	pages := ec2.NewDescribeSecurityGroupRulesPaginator(o.client, &ec2.DescribeSecurityGroupRulesInput{
		Filters: filters(map[string][]string{"group-id": {id}}), MaxResults: aws.Int32(pageSize),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, r := range page.SecurityGroupRules {
			if !aws.ToBool(r.IsEgress) {
				o.seen.Group.Rules = append(o.seen.Group.Rules, seenRule(r, id))
			}
		}
	}
	slices.SortFunc(o.seen.Group.Rules, func(a, b group.SeenRule) int { return strings.Compare(a.ID, b.ID) })
	return nil
}

func seenRule(r types.SecurityGroupRule, own string) group.SeenRule {
	source := cmp.Or(aws.ToString(r.CidrIpv4), aws.ToString(r.CidrIpv6), aws.ToString(r.PrefixListId))
	if ref := r.ReferencedGroupInfo; ref != nil {
		if source = aws.ToString(ref.GroupId); source == own {
			source = group.Self
		}
	}
	rule := group.Rule{
		Protocol: aws.ToString(r.IpProtocol), From: int(aws.ToInt32(r.FromPort)), To: int(aws.ToInt32(r.ToPort)),
		Source: source, Description: aws.ToString(r.Description),
	}
	return group.SeenRule{ID: aws.ToString(r.SecurityGroupRuleId), Rule: rule.Normal(), Tags: tagMap(r.Tags)}
}

// others finds who has the group and is no host: what left the inventory, or
// what somebody attached. An adopted group is attached as its owner likes.
func (o *observer) others(ctx context.Context) error {
	if o.inv.SecurityGroup.Adopt != "" {
		return nil
	}
	pages := ec2.NewDescribeNetworkInterfacesPaginator(o.client, &ec2.DescribeNetworkInterfacesInput{
		Filters: filters(map[string][]string{"group-id": {o.seen.Group.ID}}), MaxResults: aws.Int32(pageSize),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, nic := range page.NetworkInterfaces {
			if other := seenInterface(nic); !o.isHost(other.Owner) {
				o.seen.Others = append(o.seen.Others, other)
			}
		}
	}
	slices.SortFunc(o.seen.Others, func(a, b group.Interface) int { return strings.Compare(a.ID, b.ID) })
	return o.forgetEnded(ctx)
}

// forgetEnded drops the interfaces of instances that have ended: EC2 lists them
// for a moment more, and takes them away by itself.
func (o *observer) forgetEnded(ctx context.Context) error {
	var owners []string
	for _, other := range o.seen.Others {
		owners = append(owners, other.Owner)
	}
	for chunk := range slices.Chunk(owners, maxFilterValues) {
		ended, err := instances(ctx, o.client, filters(map[string][]string{
			"instance-id": chunk, "instance-state-name": {string(types.InstanceStateNameShuttingDown), string(types.InstanceStateNameTerminated)},
		}))
		if err != nil {
			return err
		}
		o.seen.Others = slices.DeleteFunc(o.seen.Others, func(other group.Interface) bool {
			return slices.ContainsFunc(ended, func(i types.Instance) bool { return aws.ToString(i.InstanceId) == other.Owner })
		})
	}
	return nil
}

func (o *observer) isHost(owner string) bool {
	return slices.ContainsFunc(o.seen.Hosts, func(h group.Host) bool { return h.Instance == owner })
}

func seenInterface(nic types.NetworkInterface) group.Interface {
	i := group.Interface{ID: aws.ToString(nic.NetworkInterfaceId), Groups: groupIDs(nic.Groups)}
	if nic.Attachment != nil {
		i.Owner = aws.ToString(nic.Attachment.InstanceId)
	}
	i.Owner = cmp.Or(i.Owner, aws.ToString(nic.Description), i.ID)
	return i
}
