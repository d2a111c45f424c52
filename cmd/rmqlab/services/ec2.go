package services

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/images"
)

// Cluster is the value of the tag Cluster that every instance of a lab has.
const Cluster = "rmq"

// EC2 is a lab's EC2 emulator.
type EC2 struct {
	Endpoint string // for AWS_ENDPOINT_URL_EC2
	client   *ec2.Client
	consoles string     // directory of console texts, a file an instance
	making   sync.Mutex // held while the network is looked up or made
}

// Instance is a host of the lab as EC2 shows it.
type Instance struct {
	ID      string // as NewInstanceID makes it
	Name    string // its tag Name
	Address netip.Addr
	Zone    string // "ap-southeast-1a"
	// Console is what the serial console has shown since the boot; empty while EC2 would not
	// have it yet.
	Console string
}

// NewInstanceID makes up an id in EC2's form.
func NewInstanceID() string {
	b := make([]byte, 9)
	rand.Read(b) // never fails
	return "i-" + hex.EncodeToString(b)[:17]
}

// EC2 makes sure that the lab's EC2 emulator runs. Its state does not outlive it: after a
// restart, Run brings the instances back.
func (l Lab) EC2(ctx context.Context, region string) (*EC2, error) {
	dir := filepath.Join(l.Engine.Cache, "ec2")
	c := &EC2{Endpoint: "http://" + l.address(EC2Port), consoles: filepath.Join(dir, l.Name, "console")}
	if err := os.MkdirAll(c.consoles, 0o755); err != nil {
		return nil, err
	}
	s := service{
		name:  "rmqlab-ec2-" + l.Name,
		image: images.EC2,
		args:  []string{"--host", l.Gateway.String(), "--port", fmt.Sprint(EC2Port)},
		mounts: []string{
			filepath.Join(dir, l.Name) + ":/var/lib/ec2:ro",
			filepath.Join(dir, "python") + ":/var/cache/python", // Python's compiled modules, which take seconds to make
		},
		ready: c.Endpoint,
	}
	if err := s.ensure(ctx, l.Engine); err != nil {
		return nil, err
	}
	c.client = ec2.New(ec2.Options{
		BaseEndpoint: &c.Endpoint, Region: region,
		Credentials: credentials.NewStaticCredentialsProvider("lab", "lab", ""),
	})
	return c, nil
}

// Run makes an instance be there and run, in a VPC whose CIDR is the lab's subnet, and brings
// its console up to date.
func (c *EC2) Run(ctx context.Context, subnet netip.Prefix, i Instance) error {
	if err := c.SetConsole(i.ID, i.Console); err != nil {
		return err
	}
	runs, err := c.runs(ctx, i.ID)
	if err != nil || runs {
		return err
	}
	net, err := c.network(ctx, subnet)
	if err != nil {
		return err
	}
	_, err = c.client.RunInstances(ctx, &ec2.RunInstancesInput{
		ClientToken: &i.ID, // the emulator takes the id from here
		MinCount:    aws.Int32(1), MaxCount: aws.Int32(1),
		ImageId: aws.String("ami-00000000000000000"), InstanceType: types.InstanceTypeT3Medium,
		SubnetId: &net.subnet, SecurityGroupIds: []string{net.group}, PrivateIpAddress: aws.String(i.Address.String()),
		Placement: &types.Placement{AvailabilityZone: &i.Zone},
		TagSpecifications: []types.TagSpecification{{
			ResourceType: types.ResourceTypeInstance,
			Tags:         tags("Name", i.Name, "Cluster", Cluster),
		}},
	})
	if err != nil {
		return fmt.Errorf("registering host %s with the EC2 emulator: %w", i.Name, err)
	}
	return nil
}

// SetConsole sets what GetConsoleOutput returns for an instance, which need not be there yet.
func (c *EC2) SetConsole(id, text string) error {
	if text == "" {
		return os.RemoveAll(filepath.Join(c.consoles, id))
	}
	return os.WriteFile(filepath.Join(c.consoles, id), []byte(text), 0o644)
}

// Terminate ends an instance; one that is not there is no error.
func (c *EC2) Terminate(ctx context.Context, id string) error {
	if err := c.SetConsole(id, ""); err != nil {
		return err
	}
	runs, err := c.runs(ctx, id)
	if err != nil || !runs {
		return err
	}
	if _, err = c.client.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}}); err != nil {
		return fmt.Errorf("terminating %s in the EC2 emulator: %w", id, err)
	}
	return nil
}

func (c *EC2) runs(ctx context.Context, id string) (bool, error) {
	out, err := c.client.DescribeInstances(ctx, &ec2.DescribeInstancesInput{
		Filters: filters("instance-id", id, "instance-state-name", "running"),
	})
	if err != nil {
		return false, fmt.Errorf("asking the EC2 emulator for %s: %w", id, err)
	}
	return len(out.Reservations) > 0, nil
}

// network is where instances are in EC2.
type network struct{ subnet, group string }

// network finds or makes the VPC, with one subnet that fills it and its default security group.
func (c *EC2) network(ctx context.Context, cidr netip.Prefix) (network, error) {
	c.making.Lock()
	defer c.making.Unlock()
	vpc, err := c.vpc(ctx, cidr.String())
	if err != nil {
		return network{}, fmt.Errorf("making VPC %s in the EC2 emulator: %w", cidr, err)
	}
	subnets, err := c.client.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: filters("vpc-id", vpc)})
	if err != nil {
		return network{}, err
	}
	groups, err := c.client.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
		Filters: filters("vpc-id", vpc, "group-name", "default"),
	})
	if err != nil {
		return network{}, err
	}
	if len(subnets.Subnets) == 0 || len(groups.SecurityGroups) == 0 {
		return network{}, fmt.Errorf("VPC %s of the EC2 emulator has no subnet or no default security group", vpc)
	}
	return network{*subnets.Subnets[0].SubnetId, *groups.SecurityGroups[0].GroupId}, nil
}

func (c *EC2) vpc(ctx context.Context, cidr string) (string, error) {
	vpcs, err := c.client.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: filters("cidr", cidr)})
	if err != nil {
		return "", err
	}
	if len(vpcs.Vpcs) > 0 {
		return *vpcs.Vpcs[0].VpcId, nil
	}
	vpc, err := c.client.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: &cidr})
	if err != nil {
		return "", err
	}
	_, err = c.client.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: &cidr})
	return *vpc.Vpc.VpcId, err
}

// filters are pairs of a filter's name and its one value.
func filters(pairs ...string) []types.Filter {
	var all []types.Filter
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, types.Filter{Name: &pairs[i], Values: pairs[i+1 : i+2]})
	}
	return all
}

// tags are pairs of a tag's key and value.
func tags(pairs ...string) []types.Tag {
	var all []types.Tag
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
	}
	return all
}
