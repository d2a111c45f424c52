package inventory

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// WithHosts returns the inventory with hosts that its discover blocks have
// found. One that the files name too (by name, address or instance) is the same
// host: it keeps what the files say of it and gains what they leave open. The
// order is that of the files, then that of found.
//
// The diagnostics say what could not be known before: two hosts of one name,
// files for hosts that are not there, and subnets that cover a host.
func (inv *Inventory) WithHosts(found []Host) (*Inventory, hcl.Diagnostics) {
	merged := *inv
	merged.Hosts = slices.Clone(inv.Hosts)
	var diags hcl.Diagnostics
	for _, h := range found {
		if h.Range.Filename == "" && len(inv.Discover) > 0 {
			h.Range = inv.Discover[0].Range
		}
		i := slices.IndexFunc(inv.Hosts, h.isSame)
		if i >= 0 {
			merged.Hosts[i] = merged.Hosts[i].filled(h)
			continue
		}
		if j := slices.IndexFunc(merged.Hosts, func(other Host) bool { return other.Name == h.Name }); j >= 0 {
			diags = diags.Append(diagnose(hcl.DiagError, at(h.Range), fmt.Sprintf("Two instances are named %q", h.Name),
				fmt.Sprintf("They are %s and %s. Give one of them another Name tag, or narrow the filters.", merged.Hosts[j].identify(), h.identify())))
			continue
		}
		merged.Hosts = append(merged.Hosts, h)
	}
	return &merged, append(diags, merged.checkFound()...)
}

// isSame reports whether a host of the files is the given one.
func (h Host) isSame(other Host) bool {
	if h.InstanceID != "" && other.InstanceID != "" {
		return h.InstanceID == other.InstanceID
	}
	return h.Name == other.Name || h.Address == other.Address || (h.Private != "" && h.Private == other.Private)
}

// identify names a host by what no other host has.
func (h Host) identify() string { return cmp.Or(h.InstanceID, h.Address) }

// filled returns the host with what is left open taken from another one.
func (h Host) filled(from Host) Host {
	h.Private = cmp.Or(h.Private, from.Private)
	h.Zone = cmp.Or(h.Zone, from.Zone)
	h.InstanceID = cmp.Or(h.InstanceID, from.InstanceID)
	h.Type = cmp.Or(h.Type, from.Type)
	return h
}

// checkFound says what is wrong with an inventory whose hosts are all known.
func (inv *Inventory) checkFound() hcl.Diagnostics {
	var diags hcl.Diagnostics
	if len(inv.Hosts) == 0 {
		for _, d := range inv.Discover {
			diags = diags.Append(diagnose(hcl.DiagError, at(d.Range), "No instance found", "No running instance matches the filters of this block. Check them, the region and the credentials."))
		}
	} else if len(inv.Managers()) == 0 {
		diags = diags.Append(diagnose(hcl.DiagError, at(inv.Hosts[0].Range), "No manager", "All hosts are workers, and a swarm needs a manager. Leave role out for one host or three."))
	}
	return append(append(diags, inv.checkFileHosts()...), inv.checkNetworks()...)
}

func (inv *Inventory) checkFileHosts() hcl.Diagnostics {
	var known []string
	for _, h := range inv.Hosts {
		known = append(known, h.Name)
	}
	var diags hcl.Diagnostics
	for _, f := range inv.Files {
		for _, name := range f.Hosts {
			if !slices.Contains(known, name) {
				diags = diags.Append(diagnose(hcl.DiagError, at(f.Range), fmt.Sprintf("Unknown host %q", name),
					fmt.Sprintf("Neither the files nor discovery have a host of this name.%s", suggest(name, known, "%q"))))
			}
		}
	}
	return diags
}

// checkNetworks reports hosts within a network or an address pool.
func (inv *Inventory) checkNetworks() hcl.Diagnostics {
	ranges := map[string]hcl.Range{}
	var subnets []string
	for _, n := range inv.Networks {
		subnets, ranges[n.Subnet] = append(subnets, n.Subnet), n.Range
	}
	for _, pool := range inv.Swarm.AddressPools {
		subnets, ranges[pool] = append(subnets, pool), inv.Swarm.Range
	}
	var diags hcl.Diagnostics
	for _, s := range subnets {
		if prefix, err := netip.ParsePrefix(s); err == nil {
			diags = append(diags, inv.coveredHost(prefix, at(ranges[s]))...)
		}
	}
	return diags
}

// coveredHost reports the first host whose address is within an overlay:
// containers would look for it, and for all beside it, in the overlay.
func (inv *Inventory) coveredHost(prefix netip.Prefix, p place) hcl.Diagnostics {
	for _, h := range inv.Hosts {
		for _, s := range []string{h.Address, h.Private} {
			addr, err := netip.ParseAddr(s)
			if err == nil && prefix.Contains(addr.Unmap()) {
				return hcl.Diagnostics{diagnose(hcl.DiagError, p, fmt.Sprintf("Subnet %s covers host %q", prefix, h.Name),
					fmt.Sprintf("The host's address is %s (%s), and containers could not reach it. Choose a subnet outside of the hosts' network.", addr, where(h.Range)))}
			}
		}
	}
	return nil
}
