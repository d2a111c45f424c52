package plan

import (
	"strings"
	"time"

	"github.com/rmqprov/rmqprov/playbooks"
)

// Guard is what must hold at the moment at which a step begins that stops
// something: the swarm and every stack keep their majorities without it. All are
// looked at afresh and together; the step waits for them, and then is not begun.
type Guard struct {
	Host  string // whose manager stops; "" where none does
	Gone  bool   // it will be no manager any more
	Tasks []Risk
}

// Risk asks a member whether the others of its stack are a majority without it.
type Risk struct {
	Slot string
	Ask  RunCommand
}

// String says whose majorities are looked at.
func (g Guard) String() string {
	what := []string{"the swarm"}
	for _, r := range g.Tasks {
		what = append(what, r.Slot)
	}
	return "only while a majority is left without it: " + strings.Join(what, ", ")
}

// guardLeaving plans what is asked before a host is no manager any more.
func (b *builder) guardLeaving(host string) *Guard {
	g := b.guard(host, true)
	if g != nil {
		g.Gone = true
	}
	return g
}

// guard plans what is asked before something stops on a host. Manager says that
// the host's manager stops with it. Without a playbook that asks, the swarm alone is.
func (b *builder) guard(host string, manager bool) *Guard {
	if b.got.Swarm.Value == nil || b.want.ForceQuorumLoss {
		return nil
	}
	g := &Guard{}
	if manager {
		g.Host = host
	}
	for _, s := range b.want.Stacks {
		p := &stackPlan{builder: b, stack: s}
		for _, svc := range s.Services {
			if svc.Slot == "" || host == "" || b.slots[svc.Slot] != host || !p.hasRecord() || !p.runs(svc) {
				continue
			}
			g.Tasks = append(g.Tasks, p.risks(svc)...)
		}
	}
	return g
}

// guardStop plans what is asked before a member stops, or is made ready for it.
func (p *stackPlan) guardStop(svc playbooks.Service) *Guard {
	g := p.guard(p.slots[svc.Slot], p.host != "")
	if g != nil && p.unwanted(svc.Slot) && p.runs(svc) { // it stands among the members that are wanted no more
		g.Tasks = append(g.Tasks, p.risks(svc)...)
	}
	return g
}

func (p *stackPlan) risks(svc playbooks.Service) []Risk {
	var risks []Risk
	for _, h := range p.stack.Hooks {
		if h.Moment == playbooks.OnRisk {
			risks = append(risks, Risk{Slot: svc.Slot, Ask: RunCommand{
				Exec: h.ExecFor(svc.Slot), Services: []string{svc.Name}, Within: within(h.Within),
			}})
		}
	}
	return risks
}

// forcedWithin bounds what protects a majority, where it is to be passed over.
const forcedWithin = 30 * time.Second

// forced is the command as it is where --force-quorum-loss was given: tried, told of
// and passed over.
func (c RunCommand) forced(is bool) RunCommand {
	if is {
		c.Forced, c.Within = true, min(c.Within, forcedWithin)
	}
	return c
}
