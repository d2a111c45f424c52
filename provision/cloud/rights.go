package cloud

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/cloud/group"
)

// Right is something that a run asks of AWS.
type Right struct {
	Action string // "ec2:CreateSecurityGroup"
	Err    error  // nil: these credentials may do it
}

// Rights finds out what the credentials may do of what apply and destroy need for
// the security group that was seen. It changes nothing: EC2 has for each call a
// dry run, which answers whether it would have been allowed.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html
//
// What needs a group that is not there yet cannot be tried, and is left out.
func (c *EC2) Rights(ctx context.Context, inv *inventory.Inventory, seen *group.Seen) ([]Right, error) {
	client, _, err := c.client(ctx, seen.Region)
	if err != nil {
		return nil, err
	}
	var found []Right
	try := func(action string, call func() error) {
		found = append(found, Right{action, allowed("trying what these credentials may do", call())})
	}
	for _, h := range seen.Hosts[:min(1, len(seen.Hosts))] {
		if seen.Group == nil {
			try("ec2:CreateSecurityGroup", func() error { return dryCreate(ctx, client, inv, h.VPC) })
		}
		try("ec2:ModifyNetworkInterfaceAttribute", func() error {
			_, err := client.ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{
				DryRun: aws.Bool(true), NetworkInterfaceId: &h.Interface.ID, Groups: h.Interface.Groups,
			})
			return err
		})
	}
	if g := seen.Group; g != nil {
		t := doer{client, inv.Cluster.Name, g.ID}
		try("ec2:AuthorizeSecurityGroupIngress", func() error { return t.dryAuthorize(ctx) })
		for _, r := range g.Rules[:min(1, len(g.Rules))] {
			try("ec2:RevokeSecurityGroupIngress", func() error {
				_, err := client.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{
					DryRun: aws.Bool(true), GroupId: &g.ID, SecurityGroupRuleIds: []string{r.ID},
				})
				return err
			})
		}
	}
	return found, nil
}

// allowed reads the answer to a dry run: that it would have been done is an
// error, too.
func allowed(doing string, err error) error {
	if has(err, "DryRunOperation") {
		return nil
	}
	return failure(doing, err)
}

func dryCreate(ctx context.Context, client *ec2.Client, inv *inventory.Inventory, vpc string) error {
	name := inv.SecurityGroup.Name
	_, err := client.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
		DryRun: aws.Bool(true), GroupName: &name, Description: &name, VpcId: &vpc,
		TagSpecifications: tagged(types.ResourceTypeSecurityGroup, map[string]string{group.OwnerTag: inv.Cluster.Name, "Name": name}),
	})
	return err
}

// dryAuthorize tries a rule that no group has: it lets nobody in.
func (t doer) dryAuthorize(ctx context.Context) error {
	_, err := t.client.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
		DryRun: aws.Bool(true), GroupId: &t.id,
		IpPermissions:     []types.IpPermission{t.permission(group.Rule{Protocol: "tcp", From: 1, To: 1, Source: "192.0.2.1/32"})},
		TagSpecifications: tagged(types.ResourceTypeSecurityGroupRule, map[string]string{group.OwnerTag: t.cluster}),
	})
	return err
}
