package plan

import (
	"fmt"
	"slices"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// RebootHost restarts a host and waits until its Docker answers and its node is
// ready. It is refused at the last moment where the swarm's other managers are
// no majority of all.
type RebootHost struct{}

// UpgradeDocker brings a host's Docker to the newest version that the host's
// packages have, restarts it, and waits until the node is ready. It is refused
// like RebootHost.
type UpgradeDocker struct{}

func (RebootHost) action()    {}
func (UpgradeDocker) action() {}

// Reboot plans the restart of one host with the care of a rolling change: all
// gates of all stacks hold, the host's members are made ready to stop as their
// playbooks say, and after it they are back and all gates hold again. The error
// is a Refused.
func Reboot(want Want, got state.Snapshot, host string) (*Plan, error) {
	return outage(want, got, host, Step{
		ID: hostID(host, "reboot"), Host: host, Kind: Run, Summary: "reboot " + host, Why: "asked for",
		Disrupts: "stops all that runs on " + host + " until it is back", Action: RebootHost{},
	})
}

// Upgrade plans the upgrade of a host's Docker with the same care.
func Upgrade(want Want, got state.Snapshot, host string) (*Plan, error) {
	return outage(want, got, host, Step{
		ID: hostID(host, "docker"), Host: host, Kind: Update, Summary: "upgrade Docker and restart it", Why: "asked for",
		Disrupts: "restarts Docker, and with it every container on " + host, Action: UpgradeDocker{},
	})
}

// outage plans a step that stops all that runs on a host for a while.
func outage(want Want, got state.Snapshot, host string, step Step) (*Plan, error) {
	b := newBuilder(want, got)
	b.checkHosts()
	b.checkSwarm()
	if len(b.refused) == 0 {
		b.checkReboot(host)
	}
	if len(b.refused) == 0 {
		b.assignSlots()
	}
	if len(b.refused) > 0 {
		return nil, b.refused
	}
	b.outage(host, step)
	return &Plan{Steps: sorted(b.steps)}, nil
}

// checkReboot refuses where the managers that are left meanwhile would be no
// majority. A swarm of one or two managers has none without each of them,
// whatever is done: there a reboot is an outage, as the step says.
func (b *builder) checkReboot(host string) {
	node := b.nodeOf(host)
	if node.ID == "" {
		b.refuse(host, "it is no member of the swarm", "nothing of the cluster runs there: reboot it as you like")
		return
	}
	reachable, all := b.managers()
	if node.ManagerStatus != nil && all > 2 && 2*(reachable-1) <= all {
		b.refuse(host, fmt.Sprintf("without it %d of %d swarm managers would answer, which is no majority", reachable-1, all),
			"bring the others back first")
	}
}

func (b *builder) outage(host string, step Step) {
	var standing []*stackPlan
	var after []ID
	for _, s := range b.want.Stacks {
		p := &stackPlan{builder: b, stack: s}
		if p.hasRecord() && p.runsStack(s, host) {
			standing = append(standing, p)
			after = append(after, p.stackGates([]ID{p.id("begin")}, "before")...)
		}
	}
	drained := map[*stackPlan]bool{}
	for _, p := range slices.Backward(standing) { // what uses another stack stops before it
		for _, svc := range p.membersOn(host) {
			ids := p.hooks("before stop", svc, slices.Clone(after))
			after, drained[p] = append(after, ids...), drained[p] || len(ids) > 0
		}
	}
	// A drain takes minutes. What held before it is asked again, but for the
	// members that are drained by now.
	for _, p := range standing {
		if len(drained) > 0 && !drained[p] {
			after = p.stackGates(after, "drain")
		}
	}
	step.After, step.Guard = after, b.guard(host, b.nodeOf(host).ManagerStatus != nil)
	b.add(step)
	for _, p := range standing {
		p.comeBack(host, step.ID)
		p.settle()
	}
}

// membersOn are the members of the stack's slots that a host holds.
func (p *stackPlan) membersOn(host string) []playbooks.Service {
	return slices.DeleteFunc(p.members(), func(svc playbooks.Service) bool { return p.slots[svc.Slot] != host })
}

// comeBack plans the wait for what runs on a host after its restart. The stacks
// that this one needs come first.
func (p *stackPlan) comeBack(host string, id ID) {
	p.changed = append(p.changed, id)
	for _, dep := range p.stack.DependsOn {
		p.changed = append(p.changed, stackID(dep, "ready"))
	}
	after := slices.Clone(p.changed)
	for _, svc := range p.stack.Services {
		switch {
		case svc.Slot == "":
			back := ID(serviceID(p.stack.Name, svc.Name) + ".back")
			p.add(Step{
				ID: back, Kind: Run, Summary: "wait for " + svc.Name, Why: "it may run on " + host, After: after,
				Action: AwaitService{Spec: svc.Spec},
			})
			p.changed = append(p.changed, back)
		case p.slots[svc.Slot] == host:
			p.changed = append(p.changed, p.slotGates(svc, after...)...)
		}
	}
}
