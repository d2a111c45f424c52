package inventory

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/zclconf/go-cty/cty"
)

// ownNetworks are the names of networks that every Engine has already.
var ownNetworks = []string{"bridge", "docker_gwbridge", "host", "ingress", "none"}

func (ld *loader) declareNetworks() {
	for _, b := range ld.blocks["network"] {
		i := len(ld.inv.Networks)
		declared := ld.declare("network", b.name, b.label(), func() cty.Value {
			ld.inv.Networks[i] = b.network()
			return ld.inv.Networks[i].value()
		})
		if declared {
			ld.inv.Networks = append(ld.inv.Networks, Network{Name: b.name})
		} else {
			ld.unused = append(ld.unused, func() { b.network() })
		}
	}
}

func (b *block) network() Network {
	if slices.Contains(ownNetworks, b.name) {
		b.ld.errorAt(b.label(), fmt.Sprintf("Network name %q is taken", b.name), "Docker has a network of this name on every host. Choose another one.")
	} else {
		b.checkName()
	}
	return Network{
		Name:       b.name,
		Subnet:     b.subnet(),
		MTU:        b.integer("mtu", 0, 576, 9216),
		Attachable: b.boolean("attachable"),
		Encrypted:  b.boolean("encrypted"),
		Range:      b.header(),
	}
}

func (b *block) subnet() string {
	s := b.text("subnet")
	if s == "" {
		return ""
	}
	p := b.place("subnet")
	prefix, ok := b.ld.overlay(s, p, 24)
	if !ok {
		return ""
	}
	if prefix.Bits() > 29 {
		b.ld.errorAt(p, fmt.Sprintf("Subnet %s is too small", prefix), "Every container in the network takes an address, and Docker some of its own. Write a /24: it has room for 250.")
		return ""
	}
	return prefix.String()
}

// value is what network["NAME"] means in expressions.
func (n Network) value() cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"name":       cty.StringVal(n.Name),
		"subnet":     cty.StringVal(n.Subnet),
		"mtu":        cty.NumberIntVal(int64(n.MTU)),
		"attachable": cty.BoolVal(n.Attachable),
		"encrypted":  cty.BoolVal(n.Encrypted),
	})
}

// range4 is a range of addresses that something in the inventory claims.
type range4 struct {
	prefix netip.Prefix
	owner  string // for the user: `network "prod"`
	place  place
}

// checkOverlaps reports subnets that would shadow each other, or hosts.
func (ld *loader) checkOverlaps() {
	subnets := ld.subnets()
	var earlier []range4
	for _, r := range append(ld.pools(), subnets...) {
		for _, other := range earlier {
			if r.prefix.Overlaps(other.prefix) {
				ld.errorAt(r.place, fmt.Sprintf("Overlapping subnets: %s and %s", other.prefix, r.prefix),
					"%s has %s at %s. Choose a subnet outside of it.", other.owner, other.prefix, where(other.place.subject))
				break
			}
		}
		earlier = append(earlier, r)
	}
	for _, r := range earlier {
		ld.diags = ld.diags.Extend(ld.inv.coveredHost(r.prefix, r.place))
	}
	for _, r := range subnets {
		ld.checkBridge(r)
	}
}

// pools returns the swarm's address pools.
func (ld *loader) pools() []range4 {
	var found []range4
	for _, b := range ld.blocks["swarm"] {
		for _, pool := range ld.inv.Swarm.AddressPools {
			if prefix, err := netip.ParsePrefix(pool); err == nil {
				found = append(found, range4{prefix, "The swarm's address pool", b.place("address_pools")})
			}
		}
	}
	return found
}

// subnets returns the networks' own subnets.
func (ld *loader) subnets() []range4 {
	var found []range4
	for _, b := range ld.blocks["network"] {
		i := slices.IndexFunc(ld.inv.Networks, func(n Network) bool { return n.Range == b.header() })
		if i < 0 {
			continue
		}
		if prefix, err := netip.ParsePrefix(ld.inv.Networks[i].Subnet); err == nil {
			found = append(found, range4{prefix, fmt.Sprintf("Network %q", b.name), b.place("subnet")})
		}
	}
	return found
}

// dockerBridge is the subnet of the network that every Engine makes first.
var dockerBridge = netip.MustParsePrefix("172.17.0.0/16")

func (ld *loader) checkBridge(r range4) {
	_, moved := ld.inv.Docker.Settings["bip"]
	if !moved && r.prefix.Overlaps(dockerBridge) {
		ld.warnAt(r.place, fmt.Sprintf("Subnet %s overlaps Docker's own bridge", r.prefix),
			"Every Engine uses %s for its default bridge. Choose another subnet, or move the bridge: settings = { bip = \"192.168.250.1/24\" } in the docker block.", dockerBridge)
	}
}

// checkEncryption warns where encrypted traffic will probably be dropped: it
// is IP protocol 50, which security groups do not let through by themselves.
func (ld *loader) checkEncryption() {
	if len(ld.inv.Discover) == 0 || ld.inv.SecurityGroup != nil {
		return
	}
	for _, n := range ld.inv.Networks {
		if n.Encrypted {
			ld.warnAt(at(n.Range), fmt.Sprintf("Network %q is encrypted, and no security group is managed", n.Name),
				"Encrypted overlay traffic is IP protocol 50 (ESP). Let the hosts' security groups pass it between the hosts, or write a security_group block, which does so.")
		}
	}
}
