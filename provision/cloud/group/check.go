package group

import (
	"fmt"
	"slices"
	"strings"
)

// EC2's limits, unless the account has had them raised. Rules are counted once
// for IPv4 and once for IPv6.
const (
	MaxRules  = 60 // inbound rules of a group
	MaxGroups = 5  // groups of an interface
)

func (d *differ) refuse(host, reason, fix string) {
	d.refused = append(d.refused, Refusal{host, reason, fix})
}

// check refuses what cannot have a common group, and groups that are not ours.
func (d *differ) check() {
	if len(d.seen.Hosts) == 0 {
		d.refuse("", "a security group needs hosts to attach it to, and there are none", "")
		return
	}
	d.checkHosts()
	g := d.seen.Group
	switch {
	case len(d.refused) > 0:
	case d.want.Adopt != "" && g == nil:
		d.refuse("", fmt.Sprintf("region %s has no security group %s", d.seen.Region, d.want.Adopt), "correct adopt, or the cluster's region")
	case g == nil && d.seen.Taken != "":
		d.refuse("", fmt.Sprintf("%s has a security group %q that is not this cluster's: %s", d.seen.Hosts[0].VPC, d.want.Name, d.seen.Taken),
			fmt.Sprintf("give the security_group block another name, or write adopt = %q in it", d.seen.Taken))
	case g != nil && g.VPC != d.seen.Hosts[0].VPC:
		d.refuse("", fmt.Sprintf("security group %s is in %s, and the hosts are in %s", g.ID, g.VPC, d.seen.Hosts[0].VPC), "name a group of the hosts' VPC")
	}
}

func (d *differ) checkHosts() {
	vpcs := map[string][]string{}
	for _, h := range d.seen.Hosts {
		switch {
		case h.Instance == "":
			d.refuse(h.Name, "a security group can be attached to EC2 instances only, and the inventory does not say which one it is", `write instance_id = "i-…" in its block`)
		case h.VPC == "":
			d.refuse(h.Name, fmt.Sprintf("region %s has no instance %s", d.seen.Region, h.Instance), "correct instance_id, or the cluster's region")
		default:
			vpcs[h.VPC] = append(vpcs[h.VPC], h.Name)
		}
	}
	if len(vpcs) < 2 {
		return
	}
	var parts []string
	for vpc, names := range vpcs {
		parts = append(parts, fmt.Sprintf("%s in %s", strings.Join(names, ", "), vpc))
	}
	slices.Sort(parts)
	d.refuse("", "the hosts are in several VPCs, and a security group is in one: "+strings.Join(parts, "; "), "narrow the filters of the discover block")
}

// limits refuses what EC2 would refuse half-way. What is beyond a limit already
// shows that the account's is higher, and how high cannot be seen.
func (d *differ) limits() {
	have := map[string]int{}
	for _, r := range d.rules() {
		count(have, r.Rule)
	}
	after := map[string]int{"IPv4": have["IPv4"], "IPv6": have["IPv6"]}
	for _, i := range d.items {
		if a, ok := i.Deed.(Authorize); ok {
			count(after, a.Rule)
		}
	}
	for _, family := range []string{"IPv4", "IPv6"} {
		if after[family] > MaxRules && after[family] > have[family] && have[family] <= MaxRules {
			d.refuse("", fmt.Sprintf("security group %s would have %d rules for %s while old ones are still there, and EC2 allows %d", d.name(), after[family], family, MaxRules),
				"join networks of clients or operators into larger ones, or remove rules that are not needed")
		}
	}
	for _, i := range d.items {
		if a, ok := i.Deed.(Attach); ok {
			d.checkGroups(i.Host, a)
		}
	}
}

func count(families map[string]int, r Rule) {
	if !strings.Contains(r.Source, ":") {
		families["IPv4"]++
	}
	if strings.Contains(r.Source, ":") || !strings.Contains(r.Source, "/") {
		families["IPv6"]++ // groups and prefix lists count for both
	}
}

func (d *differ) checkGroups(host string, a Attach) {
	i := slices.IndexFunc(d.seen.Hosts, func(h Host) bool { return h.ID == a.Interface })
	if h := d.seen.Hosts[i]; len(h.Groups) == MaxGroups {
		d.refuse(host, fmt.Sprintf("%s has %d security groups (%s), and EC2 allows no more", h.Instance, MaxGroups, list(h.Groups)),
			"detach one of them, or name one of them with adopt")
	}
}
