package hosts

import (
	"fmt"
	"net/netip"
	"slices"
)

const (
	firstHost        = 11 // last byte of node-1's address
	firstReplacement = 21 // last byte of the first replaced host's address
)

// Address is the address that the nth host of a subnet starts with; n counts from 1.
// An address that a replacement holds is passed over.
func Address(subnet netip.Prefix, n int, used []netip.Addr) (netip.Addr, error) {
	return firstFree(subnet, firstHost+n-1, used)
}

// replacementAddress is above every address in use, so that a new host never answers where
// a host that was just replaced did.
func replacementAddress(subnet netip.Prefix, used []netip.Addr) (netip.Addr, error) {
	next := firstReplacement
	for _, a := range used {
		next = max(next, offset(subnet, a)+1)
	}
	return firstFree(subnet, next, used)
}

func firstFree(subnet netip.Prefix, from int, used []netip.Addr) (netip.Addr, error) {
	for n := from; ; n++ {
		a := at(subnet, n)
		if !subnet.Contains(a) || !subnet.Contains(a.Next()) { // the last one is the broadcast address
			return netip.Addr{}, fmt.Errorf("subnet %s has no free address left from its %dth on", subnet, from)
		}
		if !slices.Contains(used, a) {
			return a, nil
		}
	}
}

// Gateway is the machine's own address in a subnet.
func Gateway(subnet netip.Prefix) netip.Addr { return at(subnet, 1) }

func at(subnet netip.Prefix, n int) netip.Addr {
	b := subnet.Masked().Addr().As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	v += uint32(n)
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

func offset(subnet netip.Prefix, a netip.Addr) int {
	base, b := subnet.Masked().Addr().As4(), a.As4()
	n := 0
	for i := range b {
		n = n<<8 + int(b[i]) - int(base[i])
	}
	return n
}
