package plan

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rmqprov/rmqprov/playbooks"
)

// retired is a member that is wanted no more: its stack asks for fewer.
type retired struct {
	slot string
	host string // "" where it is lost
}

// retirees are the members of a stack that are to go, the last ones first. The
// label of a node tells of them, and is taken off when all else is done: a run
// that is killed on the way finds them again.
func (p *stackPlan) retirees() []retired {
	var found []retired
	for _, h := range p.inv.Hosts {
		for _, slot := range heldSlots(p.nodeOf(h.Name)) {
			if p.unwanted(slot) {
				found = append(found, retired{slot, h.Name})
			}
		}
	}
	for _, l := range p.lost {
		for _, slot := range l.slots {
			if p.unwanted(slot) {
				found = append(found, retired{slot: slot})
			}
		}
	}
	slices.SortStableFunc(found, func(x, y retired) int { return strings.Compare(y.slot, x.slot) })
	return found
}

// unwanted says that a slot is of a set of this stack, and more than it asks for.
func (p *stackPlan) unwanted(slot string) bool {
	return slices.ContainsFunc(p.stack.Slots, func(set playbooks.SlotSet) bool {
		of := regexp.MustCompile(`^` + regexp.QuoteMeta(set.Name) + `-\d+$`)
		return of.MatchString(slot) && !slices.Contains(set.Names, slot)
	})
}

func (p *stackPlan) serviceOf(slot string) playbooks.Service {
	return playbooks.Service{Name: p.stack.Name + "_" + slot, Slot: slot}
}

// retire plans how members go that are wanted no more, one after the other and
// before anything else of the stack changes: made ready to stop, stopped, forgotten
// by the others, and without their data, with which they could not come back.
func (p *stackPlan) retire() {
	if !p.hasRecord() {
		return
	}
	after := []ID{p.id("begin")}
	for _, r := range p.retirees() {
		svc := p.serviceOf(r.slot)
		var ids []ID
		if r.host != "" {
			ids = p.hooks("before stop", svc, slices.Clone(after))
		}
		gone := joined("service", svc.Name, nil)
		if _, exists := p.service(svc.Name); exists {
			p.add(Step{
				ID: gone, Kind: Delete, Summary: "remove service " + svc.Name, Why: "the inventory asks for fewer members",
				After: append(slices.Clone(after), ids...), Disrupts: "stops " + svc.Name + " for good", Guard: p.guardStop(svc), Action: RemoveService{Name: svc.Name},
			})
			p.hold(gone, p.removalWithout(svc.Name))
		}
		after = append(append(after, ids...), gone)
		after = append(after, p.hooks("on lost", svc, slices.Clone(after))...)
		after = append(after, p.dropData(r, after)...)
		p.changed = append(p.changed, after...)
	}
}

// dropData plans the removal of a retired member's volumes.
func (p *stackPlan) dropData(r retired, after []ID) []ID {
	e := p.engine(r.host)
	if e == nil {
		return nil
	}
	var ids []ID
	for _, name := range sortedKeys(e.Owners) {
		if name != p.stack.Name+"_"+r.slot || e.Owners[name] != p.inv.Cluster.Name {
			continue
		}
		id := hostID(r.host, "volume", name)
		p.add(Step{
			ID: id, Host: r.host, Kind: Delete, Summary: "remove volume " + name + " with its data", Why: "the others have forgotten " + r.slot,
			After: slices.Clone(after), Disrupts: "deletes the data in volume " + name, Action: RemoveVolume{Name: name},
		})
		ids = append(ids, id)
	}
	return ids
}

// retiring are the steps after which the node of a host that holds members which
// are wanted no more may lose their labels, or be removed where the host is lost,
// "": the swarm stops a member when its label goes.
func (b *builder) retiring(host string) []ID {
	var ids []ID
	for _, s := range b.want.Stacks {
		p := &stackPlan{builder: b, stack: s}
		if !p.hasRecord() {
			continue
		}
		for _, r := range p.retirees() {
			if r.host == host {
				ids = append(ids, p.retireIDs(r)...)
			}
		}
	}
	return ids
}

// retireIDs are the ids that the steps of a retirement may have.
func (p *stackPlan) retireIDs(r retired) []ID {
	name := p.serviceOf(r.slot).Name
	ids := []ID{joined("service", name, nil), hostID(r.host, "volume", name)}
	for _, h := range p.stack.Hooks {
		if h.Moment == "on lost" {
			ids = append(ids, p.id("on-lost", h.Name, r.slot))
		}
	}
	return ids
}
