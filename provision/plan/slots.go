package plan

import (
	"fmt"
	"slices"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
)

func slotLabel(slot string) string { return playbooks.NodeLabel(slot) }

// assignSlots decides which host holds which slot. A label on a node is the
// record of it and stays; free slots go to hosts that have none of the set:
// to the one that has the member's volume, else to the zone with the fewest
// members, else to one that is in the swarm already, else in the order of the
// inventory.
func (b *builder) assignSlots() {
	for _, s := range b.want.Stacks {
		for _, set := range s.Slots {
			b.assignSet(s, set)
		}
	}
}

func (b *builder) assignSet(stack playbooks.Stack, set playbooks.SlotSet) {
	taken := map[string]bool{}
	// Where labels of two members stand on one host, moved there by hand, it is
	// the one whose data is nowhere else that belongs there.
	for _, only := range []bool{true, false} {
		for _, slot := range set.Names {
			h := b.holder(stack, slot)
			if h != "" && b.slots[slot] == "" && !taken[h] && (!only || b.onlyData(stack, slot, h)) {
				b.slots[slot], taken[h] = h, true
			}
		}
	}
	for _, slot := range set.Names {
		if b.slots[slot] != "" {
			continue
		}
		h := b.choose(stack, slot, set, taken)
		if h == "" {
			b.refuse("", fmt.Sprintf("stack %q: no host is free for %s (%d members, %d hosts)", stack.Name, slot, len(set.Names), len(b.inv.Hosts)),
				"add a host, or ask for fewer members")
			return
		}
		b.slots[slot], taken[h] = h, true
	}
}

// holder returns the host whose node carries the slot's label. Where a label
// stands on two, the one with the member's data is right.
func (b *builder) holder(stack playbooks.Stack, slot string) string {
	var holders []string
	for _, h := range b.inv.Hosts {
		if b.nodeOf(h.Name).Spec.Labels[slotLabel(slot)] == "true" {
			holders = append(holders, h.Name)
		}
	}
	if i := slices.IndexFunc(holders, func(h string) bool { return b.hasData(stack, slot, h) }); i >= 0 {
		return holders[i]
	}
	if len(holders) > 0 {
		return holders[0]
	}
	return ""
}

func (b *builder) choose(stack playbooks.Stack, slot string, set playbooks.SlotSet, taken map[string]bool) string {
	var free []inventory.Host
	for _, h := range b.inv.Hosts {
		if !taken[h.Name] {
			free = append(free, h)
		}
	}
	if len(free) == 0 {
		return ""
	}
	members := b.membersByZone(set)
	return slices.MinFunc(free, func(x, y inventory.Host) int {
		if d := boolRank(b.hasData(stack, slot, y.Name)) - boolRank(b.hasData(stack, slot, x.Name)); d != 0 {
			return d
		}
		if d := b.awayRank(stack, slot, x.Name) - b.awayRank(stack, slot, y.Name); d != 0 {
			return d
		}
		if d := members[x.Zone] - members[y.Zone]; d != 0 {
			return d
		}
		return boolRank(b.member(y.Name)) - boolRank(b.member(x.Name))
	}).Name
}

// awayRank puts hosts that cannot be reached last, for a new member. One that
// was there before may have its data on such a host: it waits for that.
func (b *builder) awayRank(stack playbooks.Stack, slot, host string) int {
	if !b.away[host] {
		return 0
	}
	for _, svc := range stack.Services {
		if _, exists := b.service(svc.Name); svc.Slot == slot && exists {
			return -1
		}
	}
	return 1
}

// turnOf are the gates of members that form in turn and come to their hosts
// before the one that comes to this host: several were lost, and a label starts each.
func (b *builder) turnOf(host string) []ID {
	var ids []ID
	for _, s := range b.want.Stacks {
		p := stackPlan{builder: b, stack: s}
		if s.Form != playbooks.FormInTurn {
			continue
		}
		var before []ID
		for _, svc := range p.members() {
			if _, exists := p.service(svc.Name); !exists || !p.moved(svc) {
				continue
			}
			if b.slots[svc.Slot] == host {
				ids = append(ids, before...)
			}
			before = p.slotGateIDs(svc)
		}
	}
	return ids
}

func boolRank(v bool) int {
	if v {
		return 1
	}
	return 0
}

func (b *builder) membersByZone(set playbooks.SlotSet) map[string]int {
	held := map[string]int{}
	for _, slot := range set.Names {
		held[b.slots[slot]]++
	}
	zones := map[string]int{}
	for _, h := range b.inv.Hosts {
		zones[h.Zone] += held[h.Name]
	}
	return zones
}

// onlyData says whether a host is the only one with a volume of the slot's
// member.
func (b *builder) onlyData(stack playbooks.Stack, slot, host string) bool {
	return b.hasData(stack, slot, host) && !slices.ContainsFunc(b.inv.Hosts,
		func(h inventory.Host) bool { return h.Name != host && b.hasData(stack, slot, h.Name) })
}

// hasData says whether a host holds a volume of the slot's member.
func (b *builder) hasData(stack playbooks.Stack, slot, host string) bool {
	e := b.engine(host)
	if e == nil {
		return false
	}
	for _, svc := range stack.Services {
		if svc.Slot != slot {
			continue
		}
		for _, m := range svc.Spec.TaskTemplate.ContainerSpec.Mounts {
			if e.Volumes[m.Source] {
				return true
			}
		}
	}
	return false
}
