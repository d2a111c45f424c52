package cloud

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2instanceconnect"
	"golang.org/x/crypto/ssh"

	"github.com/rmqprov/rmqprov/inventory"
)

// KeyLives is how long an instance takes a key that was pushed to it. A login
// must begin within; what it opens stays open.
const KeyLives = 60 * time.Second

// PushKey lets a key log in to a host as user for KeyLives, through EC2 Instance
// Connect. The instance's system must have ec2-instance-connect, as Amazon
// Linux and Ubuntu do.
func (c *EC2) PushKey(ctx context.Context, h inventory.Host, user string, key ssh.PublicKey) error {
	doing := fmt.Sprintf("host %s: pushing a login key for %s to %s", h.Name, user, h.InstanceID)
	if h.InstanceID == "" {
		return fmt.Errorf("host %s: a login key can be pushed to EC2 instances only, and this host has no instance_id", h.Name)
	}
	client, err := c.connect(ctx, regionOf(h))
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	in := &ec2instanceconnect.SendSSHPublicKeyInput{
		InstanceId: &h.InstanceID, InstanceOSUser: &user, SSHPublicKey: aws.String(string(ssh.MarshalAuthorizedKey(key))),
	}
	if h.Zone != "" {
		in.AvailabilityZone = &h.Zone
	}
	out, err := client.SendSSHPublicKey(ctx, in)
	if err != nil {
		return failure(doing, err)
	}
	if !out.Success {
		return fmt.Errorf("%s: EC2 did not take it, and gave no reason", doing)
	}
	return nil
}
