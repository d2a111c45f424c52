package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/sync/errgroup"

	"github.com/rmqprov/rmqprov/inventory"
)

// Discover returns the running instances that the inventory's discover blocks
// match, for Inventory.WithHosts. Each is named by its Name tag, in the form of
// a DNS label; those that share a name get their instance id appended, and one
// without a name is called by its id. They are ordered by name, numbers by
// value. Hosts of the files that give an instance_id are among them too, for
// what EC2 knows of them.
//
// The error has those of all blocks.
func (c *EC2) Discover(ctx context.Context, inv *inventory.Inventory) ([]inventory.Host, error) {
	found := make([][]inventory.Host, len(inv.Discover)+1)
	errs := make([]error, len(found))
	var g errgroup.Group
	for i, d := range inv.Discover {
		g.Go(func() error {
			found[i], errs[i] = c.discover(ctx, d)
			return nil
		})
	}
	g.Go(func() error {
		found[len(inv.Discover)], errs[len(inv.Discover)] = c.named(ctx, inv)
		return nil
	})
	_ = g.Wait() // its functions return no error: each block's stands in errs
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return distinct(slices.Concat(found...)), nil
}

func (c *EC2) discover(ctx context.Context, d inventory.Discover) ([]inventory.Host, error) {
	doing := fmt.Sprintf("%s:%d: finding instances where %s", d.Range.Filename, d.Range.Start.Line, FilterText(d.Filters))
	client, region, err := c.client(ctx, d.Region)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	all, err := instances(ctx, client, filters(d.Filters))
	if err != nil {
		return nil, failure(doing+" in "+region, err)
	}
	running := slices.DeleteFunc(slices.Clone(all), func(i types.Instance) bool { return !runs(i) })
	if len(running) == 0 {
		return nil, fmt.Errorf("%s: region %s has no such instance that runs. %s", doing, region, matched(ctx, client, d.Filters, all))
	}
	var hosts []inventory.Host
	var errs []error
	for _, i := range running {
		h, err := host(i, d)
		hosts, errs = append(hosts, h), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return hosts, nil
}

// FilterText shows filters as the inventory writes them, in order.
func FilterText(filters map[string][]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(filters)) {
		parts = append(parts, fmt.Sprintf("%s = %q", name, strings.Join(filters[name], " or ")))
	}
	return strings.Join(parts, " and ")
}

func filters(named map[string][]string) []types.Filter {
	var all []types.Filter
	for _, name := range slices.Sorted(maps.Keys(named)) {
		all = append(all, types.Filter{Name: aws.String(name), Values: named[name]})
	}
	return all
}

// pageSize is the most that EC2 gives at once.
const pageSize = 1000

// instances returns what matches the filters, in any state, from all pages.
func instances(ctx context.Context, client *ec2.Client, by []types.Filter) ([]types.Instance, error) {
	var all []types.Instance
	pages := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{Filters: by, MaxResults: aws.Int32(pageSize)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Reservations {
			all = append(all, r.Instances...)
		}
	}
	return all, nil
}

func runs(i types.Instance) bool { return state(i) == types.InstanceStateNameRunning }

func state(i types.Instance) types.InstanceStateName {
	if i.State == nil {
		return ""
	}
	return i.State.Name
}

// matched says what filters matched that found nothing that runs: together in
// other states, or, where that is nothing either, each alone.
func matched(ctx context.Context, client *ec2.Client, by map[string][]string, all []types.Instance) string {
	if len(all) > 0 {
		return "Together the filters match " + states(all) + "."
	}
	var parts []string
	for _, f := range filters(by) {
		alone, err := instances(ctx, client, []types.Filter{f})
		if err != nil {
			return "What each filter matches alone could not be seen: " + err.Error()
		}
		parts = append(parts, fmt.Sprintf("%s = %q matches %s", *f.Name, strings.Join(f.Values, " or "), states(alone)))
	}
	return "Each filter alone: " + strings.Join(parts, "; ") + ". Correct the filters, or look at the region and the account."
}

func states(all []types.Instance) string {
	counts := map[types.InstanceStateName]int{}
	for _, i := range all {
		counts[state(i)]++
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing")
}

// host makes a host of an instance; its name need not be its own alone.
func host(i types.Instance, d inventory.Discover) (inventory.Host, error) {
	h := inventory.Host{
		Name: label(tag(i.Tags, "Name")), InstanceID: aws.ToString(i.InstanceId), Private: aws.ToString(i.PrivateIpAddress),
		Type: string(i.InstanceType), Range: d.Range,
	}
	if i.Placement != nil {
		h.Zone = aws.ToString(i.Placement.AvailabilityZone)
	}
	if h.Address = address(i, d.Address); h.Address == "" {
		return h, fmt.Errorf("instance %s (%s) has no %s address: give it one, or write address = %q or another", h.InstanceID, h.Name, d.Address, "private")
	}
	return h, nil
}

func address(i types.Instance, kind string) string {
	switch kind {
	case "public":
		return aws.ToString(i.PublicIpAddress)
	case "ipv6":
		return ipv6(i)
	}
	return aws.ToString(i.PrivateIpAddress)
}

func ipv6(i types.Instance) string {
	if a := aws.ToString(i.Ipv6Address); a != "" {
		return a
	}
	if nic := primary(i); nic != nil && len(nic.Ipv6Addresses) > 0 {
		return aws.ToString(nic.Ipv6Addresses[0].Ipv6Address)
	}
	return ""
}

// primary returns the interface that an instance cannot be without.
func primary(i types.Instance) *types.InstanceNetworkInterface {
	for n := range i.NetworkInterfaces {
		nic := &i.NetworkInterfaces[n]
		if nic.Attachment != nil && aws.ToInt32(nic.Attachment.DeviceIndex) == 0 {
			return nic
		}
	}
	return nil
}

func tag(tags []types.Tag, key string) string {
	for _, t := range tags {
		if aws.ToString(t.Key) == key {
			return aws.ToString(t.Value)
		}
	}
	return ""
}

// named finds the instances of hosts that the files name by id, where the
// inventory needs EC2 anyway. One that does not run is left to be found missing
// where it matters.
func (c *EC2) named(ctx context.Context, inv *inventory.Inventory) ([]inventory.Host, error) {
	if !Needed(inv) {
		return nil, nil
	}
	byID, err := c.byID(ctx, inv.Hosts)
	if err != nil {
		return nil, err
	}
	var found []inventory.Host
	for _, h := range inv.Hosts {
		i, ok := byID[h.InstanceID]
		if !ok || !runs(i) {
			continue
		}
		seen, err := host(i, inventory.Discover{Address: "private", Range: h.Range})
		if err != nil {
			continue // the files give the address to use
		}
		seen.Name, seen.Address = h.Name, h.Address
		found = append(found, seen)
	}
	return found, nil
}

// byID describes the instances of hosts, region by region; ids that EC2 does
// not know are missing.
func (c *EC2) byID(ctx context.Context, hosts []inventory.Host) (map[string]types.Instance, error) {
	regions := map[string][]string{}
	for _, h := range hosts {
		if h.InstanceID != "" {
			regions[regionOf(h)] = append(regions[regionOf(h)], h.InstanceID)
		}
	}
	found := map[string]types.Instance{}
	for _, region := range slices.Sorted(maps.Keys(regions)) {
		client, name, err := c.client(ctx, region)
		if err != nil {
			return nil, err
		}
		for chunk := range slices.Chunk(regions[region], maxFilterValues) {
			all, err := instances(ctx, client, filters(map[string][]string{"instance-id": chunk}))
			if err != nil {
				return nil, failure("describing the hosts' instances in "+name, err)
			}
			for _, i := range all {
				found[aws.ToString(i.InstanceId)] = i
			}
		}
	}
	return found, nil
}

// maxFilterValues is how many values EC2 takes in one filter.
const maxFilterValues = 200
