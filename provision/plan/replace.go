package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
)

// lost is a member of the swarm whose host is gone: either the inventory no
// longer has it, or another machine stands in its place.
type lost struct {
	node  swarm.Node
	name  string   // of the host, as it was in the inventory
	slots []string // that it held
}

func (l lost) id(parts ...string) ID {
	return joined("lost", l.name, append(parts, l.node.ID[:min(6, len(l.node.ID))]))
}

// findLost finds the nodes that belong to no host of the inventory. A node that
// is alive is not lost: taking its slots would put two members on one name.
func (b *builder) findLost() {
	if b.got.Swarm.Value == nil {
		return
	}
	present := map[string]bool{}
	for _, h := range b.inv.Hosts {
		present[b.nodeID(h.Name)] = true
	}
	for _, n := range b.got.Swarm.Value.Nodes {
		name := n.Spec.Labels[HostLabel]
		if present[n.ID] || b.away[name] || n.Spec.Labels[OwnerLabel] != b.inv.Cluster.Name {
			continue
		}
		if n.Status.State != swarm.NodeStateDown {
			b.refuse("", fmt.Sprintf("node %s (host %q, %s) is %s in the swarm and not in the inventory", n.ID, name, n.Status.Addr, n.Status.State),
				"put the host back into the inventory and let it leave first, with `rmqprov replace`; or stop it for good: a node is taken for lost once the swarm calls it down")
			continue
		}
		b.lost = append(b.lost, lost{node: n, name: name, slots: heldSlots(n)})
	}
	slices.SortFunc(b.lost, func(x, y lost) int { return strings.Compare(x.name+x.node.ID, y.name+y.node.ID) })
	b.checkQuorum()
}

func heldSlots(n swarm.Node) []string {
	var slots []string
	for label := range n.Spec.Labels {
		if slot, ok := strings.CutPrefix(label, playbooks.NodeLabel("")); ok {
			slots = append(slots, slot)
		}
	}
	slices.Sort(slots)
	return slots
}

// checkQuorum refuses to take managers out of a swarm in which fewer than a
// majority of the managers answer: a removal needs raft's consent, and what is
// left must be able to give it.
func (b *builder) checkQuorum() {
	reachable, managers := b.managers()
	if len(b.lost) > 0 && reachable <= managers/2 {
		b.refuse("", fmt.Sprintf("only %d of %d swarm managers answer, which is no majority", reachable, managers),
			"bring one of the others back first, or see `rmqprov recover`")
	}
}

// managers counts the swarm's managers that reach each other, and all of them.
func (b *builder) managers() (reachable, all int) {
	for _, n := range b.got.Swarm.Value.Nodes {
		if n.ManagerStatus == nil {
			continue
		}
		all++
		if n.ManagerStatus.Reachability == swarm.ReachabilityReachable {
			reachable++
		}
	}
	return reachable, all
}

// forget plans what lets go of lost hosts. The stacks forget their members
// first: while the node is there, a run that is killed finds it again. Only
// then may another host take the slots, for an empty member that starts under
// the name of one that still counts would form a cluster of its own.
func (b *builder) forget() {
	for _, l := range b.lost {
		after := b.retiring("")
		for _, s := range b.want.Stacks {
			p := stackPlan{builder: b, stack: s}
			after = append(after, p.lostMembers(l)...)
		}
		b.add(Step{
			ID: l.id("node"), Kind: Delete, Summary: "remove the swarm node of " + l.name + " (" + l.node.ID + ")", Why: b.lostWhy(l), After: after,
			Action: ForgetNode{ID: l.node.ID},
		})
	}
}

// ghosts plans the removal of nodes that never came: a join that was broken off and
// done again has a node of each try, and only the last is the host's. None of the
// others has told the swarm so much as its name. Yet the swarm wants what runs on
// every node to run there as well. They go when all joins are over.
func (b *builder) ghosts() {
	if b.got.Swarm.Value == nil {
		return
	}
	hosts := map[string]bool{}
	after := []ID{swarmInit}
	for _, h := range b.inv.Hosts {
		hosts[b.nodeID(h.Name)] = true
		after = append(after, hostID(h.Name, "swarm"))
	}
	for _, n := range b.got.Swarm.Value.Nodes {
		if hosts[n.ID] || !NeverCame(n) {
			continue
		}
		b.add(Step{
			ID: joined("ghost", n.ID, nil), Kind: Delete, Summary: "remove swarm node " + n.ID, After: after,
			Why: "a join that was broken off has left it: it never came, and has no name", Action: ForgetNode{ID: n.ID, Silent: true},
		})
	}
}

// NeverCame says that a node was let in and never spoke to the swarm.
func NeverCame(n swarm.Node) bool {
	return n.Status.State != swarm.NodeStateReady && n.Description.Hostname == "" && len(n.Spec.Labels) == 0 && n.ManagerStatus == nil
}

func (b *builder) lostWhy(l lost) string {
	switch {
	case !slices.ContainsFunc(b.inv.Hosts, func(h inventory.Host) bool { return h.Name == l.name }):
		return fmt.Sprintf("host %s is down and not in the inventory", l.name)
	case slices.ContainsFunc(b.want.Stacks, func(s playbooks.Stack) bool {
		return slices.ContainsFunc(l.slots, func(slot string) bool { return b.comesBack(s, slot, l) })
	}):
		return fmt.Sprintf("host %s has left the swarm", l.name)
	}
	return fmt.Sprintf("host %s has left the swarm, or another machine stands in its place", l.name)
}

// lostMembers plans the playbook's deeds for the members that a host held.
func (p *stackPlan) lostMembers(l lost) []ID {
	var ids []ID
	for _, svc := range p.stack.Services {
		if svc.Slot == "" || !slices.Contains(l.slots, svc.Slot) || p.comesBack(p.stack, svc.Slot, l) {
			continue
		}
		ids = append(ids, p.hooks("on lost", svc, append([]ID{p.id("begin")}, ids...))...)
	}
	return ids
}

// comesBack says that a member stays what it is: its host has left the swarm,
// is still there with the member's data, and joins again.
func (b *builder) comesBack(stack playbooks.Stack, slot string, l lost) bool {
	return b.slots[slot] == l.name && b.hasData(stack, slot, l.name)
}

// revived are the steps that make what is to run on a host start again, though
// no service changes: its Docker was stopped, or its node takes tasks again.
func (b *builder) revived(host string) []ID {
	node := b.nodeOf(host)
	switch {
	case node.ID == "", b.away[host]:
		return nil
	case b.engine(host) == nil:
		return []ID{hostID(host, "docker")}
	case node.Spec.Availability != swarm.NodeAvailabilityActive:
		return []ID{hostID(host, "node")}
	}
	return nil
}

// revivals are those steps for a service.
func (p *stackPlan) revivals(svc playbooks.Service) []ID {
	var ids []ID
	for _, h := range p.hostsOf(svc) {
		ids = append(ids, p.revived(h)...)
	}
	return ids
}

// moved says that a slot comes to its host from a lost one, or from none: its
// member starts anew there though its service does not change.
func (p *stackPlan) moved(svc playbooks.Service) bool {
	host := p.slots[svc.Slot]
	if svc.Slot == "" || host == "" {
		return false
	}
	return p.nodeOf(host).Spec.Labels[slotLabel(svc.Slot)] != "true"
}

// begins are the notes that the stacks with members on a host are being
// changed: a label that starts a member must not come before them.
func (b *builder) begins(host string) []ID {
	var ids []ID
	for _, s := range b.want.Stacks {
		if slices.ContainsFunc(s.Services, func(svc playbooks.Service) bool { return b.slots[svc.Slot] == host }) {
			ids = append(ids, stackID(s.Name, "begin"))
		}
	}
	return ids
}

// forgotten are the steps after which a slot is free.
func (b *builder) forgotten() []ID {
	var ids []ID
	for _, l := range b.lost {
		ids = append(ids, l.id("node"))
	}
	return ids
}
