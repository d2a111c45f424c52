package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/playbooks"
)

// services plans what becomes of each service. What is missing or does not run
// comes first, since nothing can be lost by it, with what new members are given;
// members that run then change one after the other, each when the gates hold.
func (p *stackPlan) services() {
	var running []change
	var standing []playbooks.Service
	var before []ID // the member made last, with its gates
	p.retire()
	for _, svc := range p.stack.Services {
		seen, exists := p.service(svc.Name)
		if p.away[p.slots[svc.Slot]] && p.hasRecord() {
			p.waitFor(svc)
			continue
		}
		if !exists {
			before = p.create(svc, append(before, p.formed(standing)...))
			standing = nil
			continue
		}
		changes := specChanges(likeWanted(p.named(seen.Spec), image(svc)), svc.Spec)
		switch {
		case len(changes) == 0:
			p.startsAnew(svc)
			standing = append(standing, svc)
		case p.moved(svc) && p.hasRecord(): // its label starts it as it was, and then it changes like the others
			p.startsAnew(svc)
			running = append(running, change{svc, changes})
		case p.runs(svc) && restarts(changes):
			running = append(running, change{svc, changes})
		default:
			p.note(svc, p.update(svc, changes))
		}
	}
	if len(running) > 0 {
		p.welcome()
	}
	p.roll(running)
}

// change is a service with what of it differs.
type change struct {
	service playbooks.Service
	fields  []Change
}

// runs says whether a service has a task that runs.
func (p *stackPlan) runs(svc playbooks.Service) bool {
	seen, exists := p.service(svc.Name)
	return exists && (seen.ServiceStatus == nil || seen.ServiceStatus.RunningTasks > 0)
}

// note adds the step of a service with the gates of its slot, and returns all
// their ids.
func (p *stackPlan) note(svc playbooks.Service, step Step) []ID {
	p.add(step)
	ids := append([]ID{step.ID}, p.slotGates(svc, step.ID)...)
	p.changed = append(p.changed, ids...)
	return ids
}

// create plans a new service. Where members form in turn, it waits for those
// made before it. What the next one waits for is returned.
func (p *stackPlan) create(svc playbooks.Service, before []ID) []ID {
	step := Step{
		ID: serviceID(p.stack.Name, svc.Name), Kind: Create, Summary: "create service " + svc.Name, Why: "not deployed",
		After: p.needs(svc), Action: CreateService{Spec: svc.Spec},
	}
	if p.inTurn(svc) {
		step.After, before = append(step.After, before...), nil
	}
	if svc.Slot != "" && p.hasRecord() {
		p.joined = append(p.joined, svc)
	}
	return append(before, p.note(svc, step)...)
}

// inTurn says that a new service waits for the one made before it. One that has
// its data does not: members that stopped together start only together, as each
// waits for the others to tell it what it missed.
func (p *stackPlan) inTurn(svc playbooks.Service) bool {
	return p.stack.Form == playbooks.FormInTurn && svc.Slot != "" && !p.hasData(p.stack, svc.Slot, p.slots[svc.Slot])
}

// formed plans the gates of the members that were made before, where the set
// has not stood yet: the run that made them was killed, and may not have waited
// for them. The next member to be made does.
func (p *stackPlan) formed(members []playbooks.Service) []ID {
	if p.stack.Form != playbooks.FormInTurn || p.hasRecord() {
		return nil
	}
	var ids []ID
	for _, svc := range members {
		ids = append(ids, p.slotGates(svc, serviceID(p.stack.Name, svc.Name))...)
	}
	return ids
}

// startsAnew plans what follows when a service starts though it does not change:
// its host comes back, or a member's slot comes to another host. There the
// node's label makes the swarm start the member empty, and it must join. One that
// does not run for no such reason is waited for: a run that found nothing to do
// would say that all is well.
func (p *stackPlan) startsAnew(svc playbooks.Service) {
	if !p.moved(svc) {
		revivals := p.revivals(svc)
		for _, id := range revivals {
			p.changed = append(append(p.changed, id), p.slotGates(svc, id)...)
		}
		if !p.spreads(svc) && len(revivals) == 0 {
			p.comesUp(svc)
		}
		return
	}
	label := hostID(p.slots[svc.Slot], "node")
	p.changed = append(append(p.changed, label), p.slotGates(svc, label)...)
	p.joined = append(p.joined, svc)
}

// spreads plans the wait for a service that runs on every host, where a host is
// new: the swarm starts it there by itself, and the gates must ask it as well.
// It says whether there is one.
func (p *stackPlan) spreads(svc playbooks.Service) bool {
	var hosts []string
	for _, h := range p.hostsOf(svc) {
		if svc.Spec.Mode.Global != nil && !p.member(h) {
			hosts = append(hosts, h)
		}
	}
	if len(hosts) == 0 {
		return false
	}
	id := ID(serviceID(p.stack.Name, svc.Name) + ".spread")
	p.add(Step{
		ID: id, Kind: Run, Summary: "wait for " + svc.Name + " on " + strings.Join(hosts, ", "), Why: "runs on every host",
		After: p.needs(svc), Action: AwaitService{Spec: svc.Spec},
	})
	p.changed = append(p.changed, id)
	return true
}

// comesUp plans the wait for a service that has fewer tasks than it should, and
// for its gates. One whose tasks may end for good is left alone.
func (p *stackPlan) comesUp(svc playbooks.Service) {
	seen, _ := p.service(svc.Name)
	status := seen.ServiceStatus
	restart := svc.Spec.TaskTemplate.RestartPolicy
	ends := restart != nil && restart.Condition != "" && restart.Condition != swarm.RestartPolicyConditionAny
	if status == nil || status.RunningTasks >= status.DesiredTasks || ends {
		return
	}
	p.note(svc, Step{
		ID: serviceID(p.stack.Name, svc.Name) + ".up", Kind: Run, Summary: "wait for " + svc.Name,
		Why:   fmt.Sprintf("%d of %d tasks run", status.RunningTasks, status.DesiredTasks),
		After: p.needs(svc), Action: AwaitService{Spec: svc.Spec},
	})
}

func (p *stackPlan) update(svc playbooks.Service, changes []Change) Step {
	step := Step{
		ID: serviceID(p.stack.Name, svc.Name), Kind: Update, Summary: "update service " + svc.Name,
		Changes: short(changes), After: p.needs(svc), Action: UpdateService{Spec: svc.Spec},
	}
	step.Why = "differs in " + changedPaths(step.Changes)
	return step
}

// roll plans the change of services that run: all gates must hold before the
// first of them stops, what the playbook does before a stop comes before each,
// and each is back in the set, not only up, before the next one goes.
func (p *stackPlan) roll(running []change) {
	if len(running) == 0 {
		return
	}
	before := slices.Concat(p.changed, p.restarted, p.slotLabels())
	if p.hasRecord() {
		before = p.stackGates(append([]ID{p.id("begin")}, before...), "before")
	}
	if upgrades(running) {
		before = append(before, p.hooks("before upgrade", playbooks.Service{}, before)...)
	}
	for _, c := range running {
		svc := c.service
		step := p.update(svc, c.fields)
		p.hold(step.ID, p.setWithout(p.stack, svc.Slot))
		step.Disrupts = "restarts " + svc.Name + p.onHost(svc.Slot)
		step.Guard = p.guard(p.slots[svc.Slot], false)
		step.After = append(step.After, before...)
		// A member is drained only when all that its successor needs is there.
		step.After = append(step.After, p.hooks("before stop", svc, slices.Clone(step.After))...)
		p.add(step)
		ids := append([]ID{step.ID}, p.slotGatesAgain(svc, step.ID)...)
		p.changed = append(p.changed, ids...)
		if svc.Slot != "" {
			before = p.stackGates(ids, svc.Slot)
			p.changed = append(p.changed, before[len(ids):]...)
		}
	}
}

// slotLabels are the steps that bring the slots' labels to their hosts.
func (p *stackPlan) slotLabels() []ID {
	var ids []ID
	for _, svc := range p.members() {
		ids = append(ids, hostID(p.slots[svc.Slot], "node"))
	}
	return ids
}

func (p *stackPlan) onHost(slot string) string {
	if h := p.slots[slot]; h != "" {
		return " on " + h
	}
	return ""
}
