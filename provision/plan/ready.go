package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
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
	b.checkRanges(b.got.Swarm.Value == nil)
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

// checkRanges refuses ranges for overlay networks, those that are still to be
// made or all, that cover a host's network or its resolver: containers could
// then not reach it (moby#27399).
func (b *builder) checkRanges(all bool) {
	if all {
		for _, p := range b.inv.Swarm.AddressPools {
			b.checkRange("address pool "+p, p, `choose another range: swarm { address_pools = ["…"] }`)
		}
	}
	for _, n := range b.inv.Networks {
		if _, exists := b.network(n.Name); all || !exists {
			b.checkRange(fmt.Sprintf("the subnet %s of network %q", n.Subnet, n.Name), n.Subnet, "give the network another subnet")
		}
	}
}

// checkRange tells the first host that a range harms: the others are mostly in
// the same network.
func (b *builder) checkRange(what, cidr, fix string) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return // none was given, and Docker takes one from the pools
	}
	for _, h := range b.inv.Hosts {
		facts := b.got.Hosts[h.Name].Facts.Value
		if i := slices.IndexFunc(facts.Addresses, prefix.Overlaps); i >= 0 {
			b.refuse(h.Name, what+" covers the host's own network "+facts.Addresses[i].Masked().String(), fix)
			return
		}
		if i := slices.IndexFunc(facts.Resolvers, prefix.Contains); i >= 0 {
			b.refuse(h.Name, what+" covers the host's resolver "+facts.Resolvers[i].String(), fix)
			return
		}
	}
}
