// Package group decides about the one EC2 security group of a cluster. It is
// pure: it has no context, clock or network, and knows nothing of the AWS SDK.
//
// Three values go in and out:
//
//	Wanted(inventory, ports)  → Want   the rules that what runs needs
//	cloud.EC2.Observe         → Seen   the group as it is
//	Diff(want, seen)          → Items  what to do, each with before and after
//
// An Item becomes one step of the plan: its ID, Kind, Host, Summary, Why,
// Changes and Disrupts are the step's, and its Deed is what the step's action
// carries to cloud.EC2.Do. Items of phase Open stand before all that needs the
// ports, those of phase Close after all that needed them. Remove gives the
// items that take the group away again.
//
// Rules are compared one by one and never as a list: a rule that is missing is
// added, one that carries this cluster's tag and is not wanted is revoked, and
// one that somebody else added is an Item that is Foreign, which needs the
// user's approval. In an adopted group what others added is left alone.
package group

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// OwnerTag is the key of the tag that marks groups and rules as rmqprov's; its
// value is the cluster's name.
const OwnerTag = "rmqprov.cluster"

// Self as a rule's source is the group itself: whoever has the group.
const Self = "self"

// Rule lets traffic in.
type Rule struct {
	Protocol string // "tcp", "udp", "icmp", "icmpv6", a number such as "50", or "-1" for all
	From, To int    // ports, or ICMP type and code; 0 where the protocol has none
	Source   string // Self, a CIDR, or the id of another group or of a prefix list
	// Description is no part of what makes two rules the same.
	Description string
}

// Normal returns the rule in the one form in which rules are compared: EC2
// gives protocols by name or number, and ports of protocols that have none.
func (r Rule) Normal() Rule {
	switch r.Protocol {
	case "6":
		r.Protocol = "tcp"
	case "17":
		r.Protocol = "udp"
	case "1":
		r.Protocol = "icmp"
	case "58":
		r.Protocol = "icmpv6"
	}
	if !r.hasPorts() && !strings.HasPrefix(r.Protocol, "icmp") {
		r.From, r.To = 0, 0
	}
	if prefix, err := netip.ParsePrefix(r.Source); err == nil {
		r.Source = prefix.Masked().String()
	}
	return r
}

func (r Rule) hasPorts() bool { return r.Protocol == "tcp" || r.Protocol == "udp" }

// key is the rule without its description.
func (r Rule) key() Rule {
	r = r.Normal()
	r.Description = ""
	return r
}

// String reads as in "5672/tcp from 10.0.0.0/16".
func (r Rule) String() string { return r.traffic() + " from " + r.from() }

func (r Rule) traffic() string {
	switch {
	case r.Protocol == "-1":
		return "everything"
	case strings.HasPrefix(r.Protocol, "icmp"):
		return r.Protocol
	case !r.hasPorts():
		return "protocol " + r.Protocol
	case r.From == r.To:
		return fmt.Sprintf("%d/%s", r.From, r.Protocol)
	}
	return fmt.Sprintf("%d-%d/%s", r.From, r.To, r.Protocol)
}

func (r Rule) from() string {
	if r.Source == Self {
		return "the group itself"
	}
	return r.Source
}

// slug is the rule as part of a step's id.
func (r Rule) slug() string {
	ports := fmt.Sprintf("-%d", r.From)
	if r.To != r.From {
		ports += fmt.Sprintf("-%d", r.To)
	}
	if !r.hasPorts() && !strings.HasPrefix(r.Protocol, "icmp") {
		ports = ""
	}
	return r.Protocol + ports + "-" + r.Source
}

func compareRules(a, b Rule) int {
	return cmp.Or(strings.Compare(a.Protocol, b.Protocol), a.From-b.From, a.To-b.To, strings.Compare(a.Source, b.Source))
}

// Seen is the group, and the hosts' interfaces, as EC2 tells.
type Seen struct {
	Region string
	Group  *Group // nil: there is none
	// Taken is the id of a group of the wanted name in the hosts' VPC that does
	// not carry this cluster's tag; "" where there is none.
	Taken string
	Hosts []Host // in the order of the inventory
	// Others have the group, and belong to no host of the inventory. They are
	// not looked for where the group is adopted.
	Others []Interface
}

// Group is a security group.
type Group struct {
	ID, Name, VPC string
	Tags          map[string]string
	Rules         []SeenRule // ordered; those that let traffic in
}

// SeenRule is a rule that is there.
type SeenRule struct {
	ID string
	Rule
	Tags map[string]string
}

// Host is the instance of a host.
type Host struct {
	Name     string // in the inventory
	Instance string // "": the inventory gives none
	VPC      string // "": EC2 has no such instance, or it has ended
	Interface
}

// Interface is a network interface; a host's is the primary one of its instance.
type Interface struct {
	ID     string
	Owner  string   // what it belongs to: an instance, or a description
	Groups []string // ids of its security groups
}
