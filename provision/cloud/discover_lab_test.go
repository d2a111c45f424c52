//go:build lab

package cloud

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/rmqprov/rmqprov/inventory"
)

func block(region string, filters map[string][]string) inventory.Discover {
	d := inventory.Discover{Kind: "ec2", Region: region, Filters: filters, Address: "private"}
	d.Range.Filename, d.Range.Start.Line = "inventory.hcl", 12
	return d
}

func discovering(blocks ...inventory.Discover) *inventory.Inventory {
	return &inventory.Inventory{Cluster: inventory.Cluster{Name: "rmq", Region: region}, Discover: blocks}
}

func names(hosts []inventory.Host) []string {
	var all []string
	for _, h := range hosts {
		all = append(all, h.Name)
	}
	return all
}

func TestLabDiscoverPages(t *testing.T) {
	w, _ := connected(t)
	a := in(t, region)
	_, subnet := a.vpc()
	for range 12 {
		a.run(100, subnet, map[string]string{"Cluster": "many", "Name": "node"})
	}
	w.page = "5" // reservations: the emulator counts those where AWS counts instances
	inv := discovering(block("", map[string][]string{"tag:Cluster": {"many"}}))
	hosts, err := New(inv).Discover(t.Context(), inv)
	if err != nil {
		t.Fatal(err)
	}
	unique := slices.Compact(slices.Sorted(slices.Values(names(hosts))))
	if len(hosts) != 1200 || len(unique) != 1200 {
		t.Errorf("%d hosts of %d names, want 1200", len(hosts), len(unique))
	}
	if n := w.count("DescribeInstances"); n != 3 {
		t.Errorf("%d pages were asked for, want 3", n)
	}
}

func TestLabDiscover(t *testing.T) {
	connected(t)
	here, there := in(t, region), in(t, otherRegion)
	_, subnet := here.vpc()
	_, far := there.vpc()
	tags := func(name string) map[string]string { return map[string]string{"Cluster": "found", "Name": name} }
	two := here.run(1, subnet, tags("RMQ node 2"))
	ten := here.run(1, subnet, tags("RMQ node 10"))
	ended := here.run(1, subnet, tags("ended"))
	same := there.run(2, far, tags("same"))
	if _, err := here.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: ended}); err != nil {
		t.Fatal(err)
	}
	by := map[string][]string{"tag:Cluster": {"found", "lost"}, "instance-type": {"t3.small"}}
	inv := discovering(block("", by), block(otherRegion, by), block("", map[string][]string{"tag:Name": {"RMQ node 2"}}))
	inv.Hosts = []inventory.Host{{Name: "mine", Address: "mine.example.com", InstanceID: ten[0]}}
	hosts, err := New(inv).Discover(t.Context(), inv)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"rmq-node-2", "rmq-node-10", "same-" + same[0], "same-" + same[1]}
	slices.SortFunc(want[2:], natural)
	if !slices.Equal(names(hosts), want) {
		t.Fatalf("hosts are %q, want %q", names(hosts), want)
	}
	if h := hosts[0]; h.InstanceID != two[0] || regionOf(h) != region || h.Type != "t3.small" || h.Private == "" || h.Address != h.Private {
		t.Errorf("host is %+v", h)
	}
	merged, diags := inv.WithHosts(hosts)
	if diags.HasErrors() || len(merged.Hosts) != 4 || merged.Hosts[0].Name != "mine" || merged.Hosts[0].Type != "t3.small" {
		t.Errorf("merged: %+v, %v", merged.Hosts, diags)
	}
}

func TestLabDiscoverNothing(t *testing.T) {
	connected(t)
	a := in(t, region)
	_, subnet := a.vpc()
	stopped := a.run(2, subnet, map[string]string{"Cluster": "stopped"})
	if _, err := a.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: stopped}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		filters map[string][]string
		want    []string
	}{
		"not running": {map[string][]string{"tag:Cluster": {"stopped"}},
			[]string{`inventory.hcl:12: finding instances where tag:Cluster = "stopped"`, "region " + region, "the filters match 2 stopped"}},
		"one filter too many": {map[string][]string{"tag:Cluster": {"stopped"}, "tag:Name": {"nobody"}},
			[]string{`tag:Cluster = "stopped" matches 2 stopped`, `tag:Name = "nobody" matches nothing`}},
	} {
		t.Run(name, func(t *testing.T) {
			inv := discovering(block("", c.filters))
			_, err := New(inv).Discover(t.Context(), inv)
			for _, part := range c.want {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("error: %v\nwant in it: %s", err, part)
				}
			}
		})
	}
}

func TestLabDiscoverAddress(t *testing.T) {
	connected(t)
	a := in(t, region)
	_, subnet := a.vpc()
	id := a.run(1, subnet, map[string]string{"Cluster": "addressed", "Name": "node-1"})
	d := block("", map[string][]string{"tag:Cluster": {"addressed"}})
	d.Address = "ipv6"
	inv := discovering(d)
	_, err := New(inv).Discover(t.Context(), inv)
	if err == nil || !strings.Contains(err.Error(), id[0]+" (node-1) has no ipv6 address") {
		t.Errorf("error: %v", err)
	}
}

func TestLabDenied(t *testing.T) {
	w, _ := connected(t)
	w.fail("DescribeInstances", "UnauthorizedOperation", "You are not authorized to perform this operation. Encoded authorization failure message: 4hT", -1)
	inv := discovering(block("", map[string][]string{"tag:Cluster": {"any"}}))
	_, err := New(inv).Discover(t.Context(), inv)
	denied, ok := errors.AsType[*Denied](err)
	if !ok || denied.Action != "ec2:DescribeInstances" || !strings.Contains(err.Error(), "inventory.hcl:12") {
		t.Errorf("error: %v", err)
	}
}

func TestLabThrottled(t *testing.T) {
	w, _ := connected(t)
	a := in(t, region)
	_, subnet := a.vpc()
	a.run(1, subnet, map[string]string{"Cluster": "slow", "Name": "node-1"})
	before := w.count("DescribeInstances")
	w.fail("DescribeInstances", "RequestLimitExceeded", "Request limit exceeded.", 2)
	inv := discovering(block("", map[string][]string{"tag:Cluster": {"slow"}}))
	hosts, err := New(inv).Discover(t.Context(), inv)
	if err != nil || len(hosts) != 1 {
		t.Errorf("hosts %v, %v", hosts, err)
	}
	if n := w.count("DescribeInstances") - before; n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

func TestLabNoRegionNoCredentials(t *testing.T) {
	connected(t)
	inv := discovering(block("", map[string][]string{"tag:Cluster": {"any"}}))
	inv.Cluster.Region = ""
	t.Setenv("AWS_REGION", "")
	if _, err := New(inv).Discover(t.Context(), inv); err == nil || !strings.Contains(err.Error(), "write region in the cluster block") {
		t.Errorf("without a region: %v", err)
	}
	t.Setenv("AWS_REGION", region)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	if _, err := New(inv).Discover(t.Context(), inv); err == nil || !strings.Contains(err.Error(), "aws sso login") {
		t.Errorf("without credentials: %v", err)
	}
}
