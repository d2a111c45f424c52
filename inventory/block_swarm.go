package inventory

import (
	"fmt"
	"net/netip"
)

func (ld *loader) decodeSwarm() {
	ld.inv.Swarm = Swarm{SubnetSize: 24, DataPathPort: 4789}
	for _, b := range ld.blocks["swarm"] {
		ld.inv.Swarm = Swarm{
			AddressPools: b.cidrs("address_pools", 16, ld.overlay),
			SubnetSize:   b.integer("subnet_size", 24, 16, 28),
			DataPathPort: b.dataPathPort(),
			Range:        b.header(),
		}
		b.checkPoolSizes()
	}
}

// dataPathPort reads the UDP port of the overlays' traffic, within Docker's
// bounds and beside swarm's other port.
func (b *block) dataPathPort() int {
	port := b.integer("data_path_port", 4789, 1024, 49151)
	if port == 7946 {
		b.ld.errorAt(b.place("data_path_port"), "Port 7946 is taken", "Swarm's managers and workers find each other by it. Choose another port; 4789 is the usual one.")
	}
	return port
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
