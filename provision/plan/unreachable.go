package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// LeftOut is something that a plan does not do because a host cannot be
// reached.
type LeftOut struct {
	ID      ID     `json:"id"`   // of the step; host.NAME for all that such a host may need itself
	Host    string `json:"host"` // as of a step
	Summary string `json:"summary"`
	Why     string `json:"why"`
	Waits   bool   `json:"-"` // left out only because it waits for another that is
}

// unseen refuses a host that could not be observed, or takes note that it is
// planned around. One that answers and could not be understood is always
// refused: nobody knows what is wrong there.
func (b *builder) unseen(host string, seen state.Host) {
	reason := "could not be observed: " + seen.Facts.Err.Error()
	switch {
	case !seen.Unreachable:
		b.refuse(host, reason, "")
	case !b.want.AllowUnreachable:
		b.refuse(host, reason, "bring it back; or, where it is known to be down, plan around it with --allow-unreachable")
	default:
		b.away[host] = true
	}
}

// reached are the hosts that are not planned around.
func (b *builder) reached() []inventory.Host {
	if len(b.away) == 0 {
		return b.inv.Hosts
	}
	return slices.DeleteFunc(slices.Clone(b.inv.Hosts), func(h inventory.Host) bool { return b.away[h.Name] })
}

// checkAway refuses to plan around hosts where what is left has no majority,
// or where they may hold what a plan must know.
func (b *builder) checkAway() {
	if len(b.away) == 0 {
		return
	}
	names := strings.Join(sortedKeys(b.away), ", ")
	if b.got.Swarm.Value == nil {
		b.refuse("", "no host that answers is in a swarm, and one may be held by "+names+", which cannot be reached",
			"bring the host back, or take it out of the inventory where it is gone for good")
		return
	}
	managers := b.inv.Managers()
	answer := slices.DeleteFunc(slices.Clone(managers), func(h string) bool { return b.away[h] })
	if 2*len(answer) <= len(managers) {
		b.refuse("", fmt.Sprintf("only %d of %d managers of the inventory can be reached, which is no majority: another run may work through the others (%s)",
			len(answer), len(managers), names), "bring one of them back first")
	}
	if reachable, all := b.managers(); 2*reachable <= all {
		b.refuse("", fmt.Sprintf("only %d of %d swarm managers answer, which is no majority", reachable, all),
			"bring one of the others back first, or see `rmqprov recover`")
	}
}

// nodeNamed is the swarm node of a host that cannot be asked for its id. Where
// the label stands on several, the one that lives is the host's.
func (b *builder) nodeNamed(host string) swarm.Node {
	var found swarm.Node
	if b.got.Swarm.Value == nil {
		return found
	}
	for _, n := range b.got.Swarm.Value.Nodes {
		ours := n.Spec.Labels[HostLabel] == host && b.ours(n.Spec.Labels)
		if ours && (found.ID == "" || n.Status.State == swarm.NodeStateReady) {
			found = n
		}
	}
	return found
}

// down says that a host cannot be reached, and that the swarm sees nothing of
// it either. One that only this machine cannot reach goes on working.
func (b *builder) down(host string) bool {
	return b.away[host] && b.nodeNamed(host).Status.State != swarm.NodeStateReady
}

// missing are the members of a stack whose hosts are down.
func (b *builder) missing(stack playbooks.Stack) []string {
	return b.slotsWhere(stack, b.down)
}

// slotsWhere are a stack's slots whose hosts are of a kind.
func (b *builder) slotsWhere(stack playbooks.Stack, is func(host string) bool) []string {
	var slots []string
	for _, set := range stack.Slots {
		for _, slot := range set.Names {
			if is(b.slots[slot]) {
				slots = append(slots, slot)
			}
		}
	}
	return slots
}

// hold keeps a step from being done, for a reason; "" is none.
func (b *builder) hold(id ID, why string) {
	if why != "" {
		b.held[id] = why
	}
}

// setWithout says why a member must not be stopped while others of its set are
// down; "" where those left are a majority. With less, what they keep together
// would stand still, or be lost.
func (b *builder) setWithout(stack playbooks.Stack, slot string) string {
	missing := b.missing(stack)
	for _, set := range stack.Slots {
		if !slices.Contains(set.Names, slot) {
			continue
		}
		gone := slices.DeleteFunc(slices.Clone(missing), func(s string) bool { return !slices.Contains(set.Names, s) })
		left := len(set.Names) - len(gone) - 1
		if len(gone) > 0 && 2*left <= len(set.Names) && !b.want.ForceQuorumLoss {
			return fmt.Sprintf("stopping %s would leave %d of %d members, which is no majority: %s down", slot, left, len(set.Names), areDown(gone))
		}
	}
	return ""
}

func areDown(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, ", ") + " are"
}

// managersWithout says why a manager must not stop, or be one no more, while
// others are down; "" where those left are a majority.
func (b *builder) managersWithout(host string, removed int) string {
	e := b.engine(host)
	if len(b.away) == 0 || e == nil || !e.Manager || b.want.ForceQuorumLoss {
		return ""
	}
	reachable, all := b.managers()
	if 2*(reachable-1) > all-removed {
		return ""
	}
	return fmt.Sprintf("without %s, %d of %d swarm managers would be left, which is no majority", host, reachable-1, all-removed)
}

// restartWithout says why a host's Docker must not be restarted while other
// hosts are down.
func (b *builder) restartWithout(host string) string {
	why := b.managersWithout(host, 0)
	for _, s := range b.want.Stacks {
		for _, slot := range b.slotsWhere(s, func(h string) bool { return h == host }) {
			why = cmp.Or(why, b.setWithout(s, slot))
		}
	}
	return why
}

// removalWithout says why a service that nothing wants any more must stay: it
// may be a member of a set of which others are down.
func (b *builder) removalWithout(service string) string {
	for _, s := range b.want.Stacks {
		if missing := b.missing(s); len(missing) > 0 && !b.want.ForceQuorumLoss && strings.HasPrefix(service, s.Name+"_") {
			return "of stack " + s.Name + ", " + areDown(missing) + " down"
		}
	}
	return ""
}

// alsoOn are the hosts that cannot be reached and that services run on which
// are bound to no slot.
func (p *stackPlan) alsoOn() []string {
	if !slices.ContainsFunc(p.stack.Services, func(s playbooks.Service) bool { return s.Slot == "" }) {
		return nil
	}
	return sortedKeys(p.away)
}

// waitFor leaves a member alone whose host cannot be reached. The swarm could
// be told what it shall be, but nobody would see to it that it comes up.
func (p *stackPlan) waitFor(svc playbooks.Service) {
	step := Step{ID: serviceID(p.stack.Name, svc.Name), Kind: Create, Summary: "create service " + svc.Name, Action: CreateService{Spec: svc.Spec}}
	if seen, exists := p.service(svc.Name); exists {
		changes := specChanges(likeWanted(p.named(seen.Spec), image(svc)), svc.Spec)
		if len(changes) == 0 {
			return
		}
		step = p.update(svc, changes)
	}
	p.hold(step.ID, "its host "+p.slots[svc.Slot]+" cannot be reached")
	p.add(step)
}

// leaveOut divides the steps into those that are done and those that are not:
// those held back, those that wait for one of them, and all of a stack that
// could not be brought to its end, since half a change is no state to leave a
// stack in.
func (b *builder) leaveOut() (kept []Step, left []LeftOut) {
	for _, h := range sortedKeys(b.away) {
		left = append(left, LeftOut{ID: hostID(h), Host: h, Summary: "all that " + h + " itself may need", Why: "it cannot be reached"})
	}
	if len(b.held) == 0 {
		return b.steps, left
	}
	why := b.blocked()
	for _, s := range b.steps {
		switch held := b.held[s.ID]; {
		case held != "":
			left = append(left, LeftOut{ID: s.ID, Host: s.Host, Summary: s.Summary, Why: held})
		case why[s.ID] != "":
			left = append(left, LeftOut{ID: s.ID, Host: s.Host, Summary: s.Summary, Why: why[s.ID], Waits: true})
		default:
			kept = append(kept, s)
		}
	}
	return kept, left
}

// blocked says of each step that cannot be done why. What a step waits for may
// stand after it, so the steps are gone through until nothing more is found.
func (b *builder) blocked() map[ID]string {
	why := map[ID]string{}
	for id := range b.held {
		why[id] = "it is held back"
	}
	for more := true; more; {
		more = false
		for _, s := range b.steps {
			if why[s.ID] != "" {
				continue
			}
			if reason := b.waits(s, why); reason != "" {
				why[s.ID], more = reason, true
			}
		}
	}
	return why
}

func (b *builder) waits(s Step, why map[ID]string) string {
	if stack := b.part[s.ID]; stack != "" && why[stackID(stack, "ready")] != "" {
		return "stack " + stack + " cannot be brought to its end now, and stays as it is"
	}
	for _, id := range s.After {
		if why[id] != "" {
			return "it waits for " + string(id)
		}
	}
	if strings.HasPrefix(string(s.ID), "host.") && strings.HasSuffix(string(s.ID), ".stackfiles") {
		return b.staysAsIs(why)
	}
	return ""
}

// staysAsIs says which stack keeps what it has. The stacks' files on the
// managers tell of what runs, so they stay too.
func (b *builder) staysAsIs(why map[ID]string) string {
	for _, s := range b.want.Stacks {
		if why[stackID(s.Name, "ready")] != "" {
			return "the files tell of stack " + s.Name + " too, which stays as it is"
		}
	}
	return ""
}
