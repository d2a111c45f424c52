package inventory

import (
	"fmt"
	"net/netip"
)

func (ld *loader) decodeSwarm() {
	ld.inv.Swarm = Swarm{SubnetSize: 24, DataPathPort: 4789}
	for _, b := range ld.blocks["swarm"] {
		ld.inv.Swarm = Swarm{
			AddressPools: b.cidrs("address_pools", 4),
			SubnetSize:   b.integer("subnet_size", 24, 16, 28),
			DataPathPort: b.integer("data_path_port", 4789, 1024, 49151),
			Range:        b.header(),
		}
		b.checkPoolSizes()
	}
}

// checkPoolSizes reports pools too small for one network.
func (b *block) checkPoolSizes() {
	size := b.ld.inv.Swarm.SubnetSize
	for _, pool := range b.ld.inv.Swarm.AddressPools {
		if prefix, err := netip.ParsePrefix(pool); err == nil && prefix.Bits() > size {
			b.ld.errorAt(b.place("address_pools"), fmt.Sprintf("Address pool %s is too small", pool), "Networks take a /%d each out of it. Write a larger pool, or subnet_size = %d.", size, min(prefix.Bits()+2, 28))
		}
	}
}
