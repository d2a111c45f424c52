package group

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rmqprov/rmqprov/inventory"
)

// Want is the group as it should be.
type Want struct {
	Cluster string
	Name    string
	Adopt   string // id of a group that somebody else owns, or ""
	Rules   []Rule // ordered, each once
}

// Port is a port that a stack uses on hosts, as its playbook says.
type Port struct {
	Stack    string
	Name     string
	Number   int
	Protocol string // "tcp" or "udp"
	From     string // "hosts", "clients" or "operators"
	Note     string // what it is for
}

// Wanted computes the group of an inventory that has a security_group block:
// what the swarm needs between the hosts, what each stack's ports need from
// those whom the playbook names, SSH for the operators, and nothing else.
func Wanted(inv *inventory.Inventory, ports []Port) Want {
	w := wanter{inv: inv}
	w.add("tcp", 2377, "hosts", "swarm managers' control")
	w.add("tcp", 7946, "hosts", "swarm nodes' gossip")
	w.add("udp", 7946, "hosts", "swarm nodes' gossip")
	w.add("udp", dataPath(inv), "hosts", "overlay networks (VXLAN)")
	if slices.ContainsFunc(inv.Networks, func(n inventory.Network) bool { return n.Encrypted }) {
		w.add("50", 0, "hosts", "encrypted overlay networks (ESP)")
	}
	for _, port := range sshPorts(inv) {
		w.add("tcp", port, "operators", "SSH")
	}
	for _, p := range ports {
		w.add(p.Protocol, p.Number, p.From, strings.TrimRight(fmt.Sprintf("%s %s: %s", p.Stack, p.Name, p.Note), ": "))
	}
	slices.SortFunc(w.rules, compareRules)
	for i := range w.rules {
		w.rules[i].Description = description(inv.Cluster.Name + ": " + w.rules[i].Description)
	}
	sg := inv.SecurityGroup
	return Want{Cluster: inv.Cluster.Name, Name: sg.Name, Adopt: sg.Adopt, Rules: w.rules}
}

type wanter struct {
	inv   *inventory.Inventory
	rules []Rule
}

// add wants a port from each of the sources. Two that want the same share one
// rule, because EC2 has each rule once.
func (w *wanter) add(protocol string, port int, from, what string) {
	for _, source := range w.sources(from) {
		r := Rule{Protocol: protocol, From: port, To: port, Source: source, Description: what}.Normal()
		i := slices.IndexFunc(w.rules, func(have Rule) bool { return have.key() == r.key() })
		switch {
		case i < 0:
			w.rules = append(w.rules, r)
		case !slices.Contains(strings.Split(w.rules[i].Description, "; "), what):
			w.rules[i].Description += "; " + what
		}
	}
}

func (w *wanter) sources(from string) []string {
	switch from {
	case "hosts":
		return []string{Self}
	case "clients":
		return w.inv.SecurityGroup.Clients
	case "operators":
		return w.inv.SecurityGroup.Operators
	}
	return nil
}

func dataPath(inv *inventory.Inventory) int {
	if inv.Swarm.DataPathPort != 0 {
		return inv.Swarm.DataPathPort
	}
	return 4789
}

// sshPorts are the ports that the hosts' sshd listens on.
func sshPorts(inv *inventory.Inventory) []int {
	usual := 22
	if inv.SSH.Port != 0 {
		usual = inv.SSH.Port
	}
	var ports []int
	for _, h := range inv.Hosts {
		if h.Port != 0 {
			ports = append(ports, h.Port)
		} else {
			ports = append(ports, usual)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// notDescription is what EC2 does not take in a description.
var notDescription = regexp.MustCompile(`[^a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]+`)

// description makes a text one that EC2 takes: of few characters, and 255 of
// them at most.
func description(s string) string {
	s = notDescription.ReplaceAllString(strings.ReplaceAll(s, "'", ""), "-")
	return strings.TrimSpace(s[:min(len(s), 255)])
}
