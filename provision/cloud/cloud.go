// Package cloud is EC2 for rmqprov: it finds hosts, carries out what package
// group decides about their security group, reads their host keys from their
// consoles, and pushes login keys through EC2 Instance Connect.
//
// Credentials, profile, role, region and retries come from the AWS SDK's own
// chain; the cluster's region goes before the chain's. Nothing is kept but a
// known_hosts file.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2instanceconnect"

	"github.com/rmqprov/rmqprov/inventory"
)

// EC2 is access to the account. Nothing is asked for before it is needed.
type EC2 struct {
	region string // "": the chain's

	mu   sync.Mutex
	base *aws.Config // shared by all regions, so that one login serves all
}

// New returns access to the account that the SDK's chain finds, in the
// inventory's region.
func New(inv *inventory.Inventory) *EC2 { return &EC2{region: inv.Cluster.Region} }

// Needed says whether an inventory needs EC2 for anything.
func Needed(inv *inventory.Inventory) bool {
	return len(inv.Discover) > 0 || inv.SecurityGroup != nil || inv.SSH.HostKeys == "ec2" || inv.SSH.InstanceConnect
}

// configured returns the SDK's configuration for a region; "" is the cluster's.
func (c *EC2) configured(ctx context.Context, region string) (aws.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base == nil {
		loaded, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return aws.Config{}, fmt.Errorf("reading the AWS configuration: %w", err)
		}
		c.base = &loaded
	}
	cfg := c.base.Copy()
	for _, r := range []string{c.region, region} {
		if r != "" {
			cfg.Region = r
		}
	}
	if cfg.Region == "" {
		return aws.Config{}, errors.New("no AWS region is known: write region in the cluster block, or set AWS_REGION")
	}
	return cfg, nil
}

// client returns a client for a region, and the region's name.
func (c *EC2) client(ctx context.Context, region string) (*ec2.Client, string, error) {
	cfg, err := c.configured(ctx, region)
	if err != nil {
		return nil, "", err
	}
	return ec2.NewFromConfig(cfg), cfg.Region, nil
}

func (c *EC2) connect(ctx context.Context, region string) (*ec2instanceconnect.Client, error) {
	cfg, err := c.configured(ctx, region)
	if err != nil {
		return nil, err
	}
	return ec2instanceconnect.NewFromConfig(cfg), nil
}

var regionOfZone = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]+`)

// regionOf reads a host's region off its availability zone, also a local one
// such as us-west-2-lax-1a; "" where it has none.
func regionOf(h inventory.Host) string { return regionOfZone.FindString(h.Zone) }
