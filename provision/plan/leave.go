package plan

import (
	"fmt"
	"slices"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/provision/state"
)

// Leave plans how a host that is in good order leaves the cluster, so that
// another can take its place: all gates of all stacks hold, its members are
// made ready to stop as their playbooks say, and then it leaves the swarm. Who
// takes its slots is for the next plan of Make. The error is a Refused.
func Leave(want Want, got state.Snapshot, host string) (*Plan, error) {
	b := newBuilder(want, got)
	b.checkHosts()
	b.checkSwarm()
	if len(b.refused) == 0 {
		b.checkLeave(host)
	}
	if len(b.refused) > 0 {
		return nil, b.refused
	}
	b.assignSlots()
	if len(b.refused) > 0 {
		return nil, b.refused
	}
	b.leave(host)
	return &Plan{Steps: sorted(b.steps)}, nil
}

// checkLeave refuses where the swarm's managers would not be a majority of
// themselves once the host is gone.
func (b *builder) checkLeave(host string) {
	node := b.nodeOf(host)
	if node.ID == "" {
		b.refuse(host, "it is no member of the swarm", "put another host in its place in the inventory and run apply: it takes a host that is gone for lost")
		return
	}
	managers, reachable := 0, 0
	for _, n := range b.got.Swarm.Value.Nodes {
		if n.ManagerStatus == nil || n.ID == node.ID {
			continue
		}
		managers++
		if n.ManagerStatus.Reachability == swarm.ReachabilityReachable {
			reachable++
		}
	}
	if node.ManagerStatus != nil && reachable <= managers/2 && !b.want.ForceQuorumLoss {
		b.refuse(host, fmt.Sprintf("without it %d of %d swarm managers answer, which is no majority", reachable, managers), "bring the others back first")
	}
}

// leave plans the stacks in reverse: what uses another stack stops before it.
func (b *builder) leave(host string) {
	var ids []ID
	for _, s := range b.want.Stacks {
		p := &stackPlan{builder: b, stack: s}
		if p.hasRecord() {
			ids = append(ids, p.stackGates(nil, "before")...)
		}
	}
	for _, s := range slices.Backward(b.want.Stacks) {
		p := &stackPlan{builder: b, stack: s}
		ids = append(ids, p.sendOff(host, ids)...)
	}
	b.add(Step{
		ID: hostID(host, "swarm"), Host: host, Kind: Delete, Summary: "leave the swarm", Why: "another host is to take its place",
		Disrupts: "stops all members on " + host, After: ids, Guard: b.guardLeaving(host), Action: LeaveSwarm{},
	})
}

// sendOff plans what a stack does before its members on a host stop. The record
// is cleared first, as before every change.
func (p *stackPlan) sendOff(host string, after []ID) []ID {
	var ids []ID
	for _, svc := range p.stack.Services {
		if svc.Slot == "" || p.slots[svc.Slot] != host || !p.hasRecord() {
			continue
		}
		if len(ids) == 0 {
			ids = append(ids, p.beginLeave(after))
		}
		ids = append(ids, p.hooks("before stop", svc, slices.Concat(after, ids))...)
	}
	return ids
}

func (p *stackPlan) beginLeave(after []ID) ID {
	step := Step{
		ID: p.id("begin"), Kind: Run, Summary: "note that stack " + p.stack.Name + " is being changed",
		Why: "a host leaves that holds a member", After: after, Action: p.record(""),
	}
	p.add(step)
	return step.ID
}
