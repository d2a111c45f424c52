package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// checkReady refuses hosts that are to join and whose facts show that they
// cannot do what is wanted of them.
func (b *builder) checkReady() {
	for _, h := range b.inv.Hosts {
		if !b.member(h.Name) {
			b.checkRoom(h)
		}
	}
	b.checkClocks(func(host string) bool { return !b.member(host) })
	b.checkRanges(b.ranges(false))
}

// systemMemory is what the system and Docker take of a host's memory for
// themselves, in bytes.
const systemMemory = 192 << 20

// checkRoom compares a host's memory and disk with what the playbooks ask for
// what is to run there. A member's disk holds its data and images already.
func (b *builder) checkRoom(h inventory.Host) {
	facts := b.got.Hosts[h.Name].Facts.Value
	var memory, disk int64
	var parts []string
	for _, s := range b.want.Stacks {
		if need := s.Requires; need != (playbooks.Requires{}) && b.runsStack(s, h.Name) {
			memory, disk = memory+need.Memory, disk+need.Disk
			parts = append(parts, fmt.Sprintf("%s %s and %s", s.Name, size(need.Memory), size(need.Disk)))
		}
	}
	asked := "of memory and disk, what is to run there asks for " + strings.Join(parts, ", ")
	if need := memory + systemMemory; facts.Memory > 0 && memory > 0 && facts.Memory < need {
		b.refuse(h.Name, fmt.Sprintf("it has %s of memory and needs %s", size(facts.Memory), size(need)),
			"take a larger machine, or put fewer stacks on it; "+asked+", and the system "+size(systemMemory))
	}
	if facts.DiskFree > 0 && !b.member(h.Name) && facts.DiskFree < disk {
		b.refuse(h.Name, fmt.Sprintf("it has %s free under /var/lib and needs %s", size(facts.DiskFree), size(disk)),
			"free some, or give it a larger disk; "+asked)
	}
}

func size(bytes int64) string {
	if bytes < 1<<30 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
}

// maxApart is how far the clocks of two hosts may be from each other: what
// expires, and what logs say, then means the same on both.
const maxApart = 30 * time.Second

// checkClocks compares the clocks of the hosts concerned with those that are
// farthest behind and ahead of all.
func (b *builder) checkClocks(concerned func(host string) bool) {
	behind, ahead := "", ""
	for _, h := range b.inv.Hosts {
		if !b.seen(h.Name) {
			continue
		}
		if behind == "" || b.skew(h.Name) < b.skew(behind) {
			behind = h.Name
		}
		if ahead == "" || b.skew(h.Name) > b.skew(ahead) {
			ahead = h.Name
		}
	}
	told := map[string]bool{}
	for _, h := range b.inv.Hosts {
		if !b.seen(h.Name) || !concerned(h.Name) || told[h.Name] {
			continue
		}
		far := behind
		if b.skew(ahead)-b.skew(h.Name) > b.skew(h.Name)-b.skew(behind) {
			far = ahead
		}
		apart := (b.skew(far) - b.skew(h.Name)).Abs()
		if apart <= maxApart || told[far] {
			continue
		}
		told[far] = true
		b.refuse(h.Name, fmt.Sprintf("its clock and that of %s are %s apart; against this machine's, %s is %s and %s %s",
			far, apart, h.Name, signed(b.skew(h.Name)), far, signed(b.skew(far))),
			"let chronyd or systemd-timesyncd set them")
	}
}

func (b *builder) skew(host string) time.Duration { return b.got.Hosts[host].Facts.Value.Skew }

func signed(d time.Duration) string {
	if d < 0 {
		return d.String()
	}
	return "+" + d.String()
}

// Range is a range of addresses for overlay networks.
type Range struct {
	netip.Prefix
	What string // such as "address pool 10.201.0.0/16"
	Fix  string // how another one is chosen
}

// ranges are those for overlay networks, where they are still to be made, or all
// that the inventory has.
func (b *builder) ranges(all bool) []Range {
	var ranges []Range
	add := func(cidr, what, fix string) {
		if prefix, err := netip.ParsePrefix(cidr); err == nil { // without one, Docker takes it from the pools
			ranges = append(ranges, Range{prefix, what, fix})
		}
	}
	if all || b.got.Swarm.Value == nil {
		for _, p := range b.inv.Swarm.AddressPools {
			add(p, "address pool "+p, `choose another range: swarm { address_pools = ["…"] }`)
		}
	}
	for _, n := range b.inv.Networks {
		if _, exists := b.network(n.Name); all || !exists {
			add(n.Subnet, fmt.Sprintf("the subnet %s of network %q", n.Subnet, n.Name), "give the network another subnet")
		}
	}
	return ranges
}

// checkRanges refuses ranges that cover a host's network or its resolver:
// containers could then not reach it (moby#27399). The first host that one harms
// is told, for the others are mostly in the same network.
func (b *builder) checkRanges(ranges []Range) {
	for _, r := range ranges {
		for _, h := range b.inv.Hosts {
			if harm := harms(r, b.got.Hosts[h.Name].Facts.Value); harm != "" {
				b.refuse(h.Name, r.What+" covers "+harm, r.Fix)
				break
			}
		}
	}
}

func harms(r Range, facts state.Facts) string {
	if i := slices.IndexFunc(facts.Addresses, r.Overlaps); i >= 0 {
		return "the host's own network " + facts.Addresses[i].Masked().String()
	}
	if i := slices.IndexFunc(facts.Resolvers, r.Contains); i >= 0 {
		return "the host's resolver " + facts.Resolvers[i].String()
	}
	return ""
}
