package cloud

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/rmqprov/rmqprov/provision/cloud/group"
)

// Do carries out a deed on the security group. One that another run has done
// already is no error: EC2's answers that a rule is there twice, or not there
// at all, say that what was wanted is so.
func (c *EC2) Do(ctx context.Context, deed group.Deed) error {
	switch d := deed.(type) {
	case group.Create:
		return c.on(ctx, d.Target, "creating security group "+d.Name, func(t doer) error { return t.create(ctx, d) })
	case group.Authorize:
		return c.on(ctx, d.Target, "opening "+d.Rule.String(), func(t doer) error { return t.authorize(ctx, d.Rule) })
	case group.Describe:
		return c.on(ctx, d.Target, "describing "+d.Rule.String(), func(t doer) error { return t.describe(ctx, d.Rule) })
	case group.Revoke:
		return c.on(ctx, d.Target, "revoking rule "+d.RuleID, func(t doer) error { return t.revoke(ctx, d.RuleID) })
	case group.Attach:
		return c.on(ctx, d.Target, "attaching the security group to "+d.Interface, func(t doer) error { return t.attach(ctx, d.Interface) })
	case group.Detach:
		return c.on(ctx, d.Target, "detaching the security group from "+d.Interface, func(t doer) error { return t.detach(ctx, d.Interface) })
	case group.Delete:
		return c.on(ctx, d.Target, "deleting security group "+d.ID, func(t doer) error { return t.delete(ctx) })
	}
	return fmt.Errorf("defect: no code for deed %T", deed)
}

// doer does one deed on one group.
type doer struct {
	client  *ec2.Client
	cluster string
	id      string // "" while there is no group
}

func (c *EC2) on(ctx context.Context, t group.Target, doing string, do func(doer) error) error {
	client, _, err := c.client(ctx, t.Region)
	if err != nil {
		return err
	}
	id := t.ID
	if id == "" {
		found, err := ownGroup(ctx, client, t.VPC, t.Cluster)
		if err != nil {
			return failure(doing, err)
		}
		if found != nil {
			id = found.ID
		}
	}
	err = do(doer{client, t.Cluster, id})
	for try := 0; t.ID == "" && has(err, "InvalidGroup.NotFound") && try < settling; try++ {
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		err = do(doer{client, t.Cluster, id})
	}
	return failure(doing, err)
}

// settling is how often a group that was just made is tried again, a second
// apart, where the part of EC2 that is asked does not know it yet.
const settling = 10

// visible bounds the wait until all of EC2 knows a new group.
const visible = time.Minute

// create makes the group with its tag in one call, so that no run ever sees it
// without.
func (t doer) create(ctx context.Context, d group.Create) error {
	if t.id != "" {
		return nil
	}
	made, err := t.client.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
		GroupName: &d.Name, Description: &d.Description, VpcId: &d.VPC,
		TagSpecifications: tagged(types.ResourceTypeSecurityGroup, map[string]string{group.OwnerTag: d.Cluster, "Name": d.Name}),
	})
	if has(err, "InvalidGroup.Duplicate") {
		return t.recheck(ctx, d, err)
	}
	if err != nil {
		return err
	}
	waiter := ec2.NewSecurityGroupExistsWaiter(t.client, func(o *ec2.SecurityGroupExistsWaiterOptions) { o.MinDelay = time.Second })
	return waiter.Wait(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{*made.GroupId}}, visible)
}

// recheck tells a group that another run of this cluster has just made from
// somebody else's of the same name. That run's group may not be visible yet.
func (t doer) recheck(ctx context.Context, d group.Create, taken error) error {
	for range 10 {
		if found, err := ownGroup(ctx, t.client, d.VPC, d.Cluster); err != nil || found != nil {
			return err
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	return taken
}

func tagged(what types.ResourceType, tags map[string]string) []types.TagSpecification {
	spec := types.TagSpecification{ResourceType: what}
	for _, key := range []string{group.OwnerTag, "Name"} {
		if value, ok := tags[key]; ok {
			spec.Tags = append(spec.Tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
		}
	}
	return []types.TagSpecification{spec}
}

func (t doer) missing() error {
	if t.id == "" {
		return fmt.Errorf("no security group has the tag %s = %s; somebody may have deleted it: run apply again", group.OwnerTag, t.cluster)
	}
	return nil
}

func (t doer) authorize(ctx context.Context, r group.Rule) error {
	if err := t.missing(); err != nil {
		return err
	}
	_, err := t.client.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &t.id, IpPermissions: []types.IpPermission{t.permission(r)},
		TagSpecifications: tagged(types.ResourceTypeSecurityGroupRule, map[string]string{group.OwnerTag: t.cluster}),
	})
	if has(err, "InvalidPermission.Duplicate") {
		return nil
	}
	return err
}

func (t doer) permission(r group.Rule) types.IpPermission {
	p := types.IpPermission{IpProtocol: &r.Protocol, FromPort: aws.Int32(int32(r.From)), ToPort: aws.Int32(int32(r.To))}
	switch {
	case r.Source == group.Self:
		p.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: &t.id, Description: &r.Description}}
	case strings.Contains(r.Source, ":"):
		p.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: &r.Source, Description: &r.Description}}
	default:
		p.IpRanges = []types.IpRange{{CidrIp: &r.Source, Description: &r.Description}}
	}
	return p
}

func (t doer) describe(ctx context.Context, r group.Rule) error {
	if err := t.missing(); err != nil {
		return err
	}
	_, err := t.client.UpdateSecurityGroupRuleDescriptionsIngress(ctx, &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{
		GroupId: &t.id, IpPermissions: []types.IpPermission{t.permission(r)},
	})
	return err
}

func (t doer) revoke(ctx context.Context, rule string) error {
	if t.id == "" {
		return nil
	}
	_, err := t.client.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: &t.id, SecurityGroupRuleIds: []string{rule}})
	if has(err, "InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound", "InvalidGroup.NotFound") {
		return nil
	}
	return err
}

// attach adds the group to the interface's others, as they are now and not as
// they were when the plan was made.
func (t doer) attach(ctx context.Context, nic string) error {
	if err := t.missing(); err != nil {
		return err
	}
	have, err := t.attached(ctx, nic)
	if err != nil || slices.Contains(have, t.id) {
		return err
	}
	return t.set(ctx, nic, append(have, t.id))
}

// detach is done already where the interface is gone.
func (t doer) detach(ctx context.Context, nic string) error {
	have, err := t.attached(ctx, nic)
	if has(err, "InvalidNetworkInterfaceID.NotFound") {
		return nil
	}
	if err != nil || !slices.Contains(have, t.id) {
		return err
	}
	rest := slices.DeleteFunc(have, func(id string) bool { return id == t.id })
	if len(rest) == 0 {
		return fmt.Errorf("it is the only group of %s, and EC2 keeps no interface without one: attach another first", nic)
	}
	return t.set(ctx, nic, rest)
}

func (t doer) attached(ctx context.Context, nic string) ([]string, error) {
	out, err := t.client.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{nic}})
	if err != nil {
		return nil, err
	}
	if len(out.NetworkInterfaces) != 1 {
		return nil, fmt.Errorf("EC2 tells of %d interfaces called %s", len(out.NetworkInterfaces), nic)
	}
	return groupIDs(out.NetworkInterfaces[0].Groups), nil
}

func (t doer) set(ctx context.Context, nic string, groups []string) error {
	_, err := t.client.ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &nic, Groups: groups})
	return err
}

// released bounds the wait until EC2 has let go of interfaces that had the
// group a moment ago.
const released = time.Minute

func (t doer) delete(ctx context.Context) error {
	if t.id == "" {
		return nil
	}
	for deadline := time.Now().Add(released); ; {
		_, err := t.client.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &t.id})
		switch {
		case has(err, "InvalidGroup.NotFound"):
			return nil
		case !has(err, "DependencyViolation"):
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("it is still in use: find the interfaces that have it, and the groups with rules that name it, and take them away: %w", err)
		}
		if err := pause(ctx, 3*time.Second); err != nil {
			return err
		}
	}
}

// pause waits, or returns early with the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
