package cloud

import (
	"slices"
	"strings"
	"testing"

	"github.com/rmqprov/rmqprov/inventory"
)

func TestLabel(t *testing.T) {
	for in, want := range map[string]string{
		"node-1": "node-1", "RMQ Node 1": "rmq-node-1", "--a__b--": "a-b", "": "", "é": "", "10.0.0.1": "10-0-0-1",
		strings.Repeat("a", 62) + "-b": strings.Repeat("a", 62),
	} {
		if got := label(in); got != want {
			t.Errorf("label(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDistinct(t *testing.T) {
	host := func(name, id string) inventory.Host { return inventory.Host{Name: name, InstanceID: id} }
	long := strings.Repeat("x", 63)
	found := []inventory.Host{
		host("node-10", "i-0a"), host("node-2", "i-0b"), host("same", "i-0d"), host("same", "i-0c"), host("", "i-0e"),
		host("node-2", "i-0b"), // found by two blocks
		host(long, "i-0f"), host(long, "i-10"),
	}
	var got []string
	for _, h := range distinct(found) {
		got = append(got, h.Name)
	}
	want := []string{"i-0e", "node-2", "node-10", "same-i-0c", "same-i-0d", long[:58] + "-i-0f", long[:58] + "-i-10"}
	if !slices.Equal(got, want) {
		t.Errorf("names are %q, want %q", got, want)
	}
	slices.Reverse(found)
	var again []string
	for _, h := range distinct(found) {
		again = append(again, h.Name)
	}
	if !slices.Equal(again, want) {
		t.Errorf("in another order of EC2's answers the names are %q", again)
	}
}

func TestNatural(t *testing.T) {
	names := []string{"node-10", "node-2", "node", "node-02", "a", "node-2-b", "10", "9"}
	slices.SortFunc(names, natural)
	want := []string{"9", "10", "a", "node", "node-02", "node-2", "node-2-b", "node-10"}
	if !slices.Equal(names, want) {
		t.Errorf("order is %q, want %q", names, want)
	}
}

func TestRegionOf(t *testing.T) {
	for zone, want := range map[string]string{
		"ap-southeast-1a": "ap-southeast-1", "us-west-2-lax-1a": "us-west-2", "us-gov-west-1b": "us-gov-west-1", "": "", "rack-a": "",
	} {
		if got := regionOf(inventory.Host{Zone: zone}); got != want {
			t.Errorf("region of %q is %q, want %q", zone, got, want)
		}
	}
}

func TestCommonRegion(t *testing.T) {
	a, b, none := inventory.Host{Name: "a", Zone: "eu-west-1a"}, inventory.Host{Name: "b", Zone: "eu-west-2a"}, inventory.Host{Name: "c"}
	if r, err := commonRegion([]inventory.Host{none, a, a}); r != "eu-west-1" || err != nil {
		t.Errorf("region %q, %v", r, err)
	}
	if _, err := commonRegion([]inventory.Host{a, none, b}); err == nil || !strings.Contains(err.Error(), "host b in eu-west-2") {
		t.Errorf("two regions: %v", err)
	}
}
