package playbooks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// moments are the points in a member's life at which a playbook can act, by
// the block that names them.
var moments = map[string][]string{
	"before": {"stop", "upgrade"},         // a member is about to be stopped or changed; running members are about to get another image
	"after":  {"form", "join", "change"},  // the set has formed first; a member came to a set that runs; services were changed
	"on":     {"lost", "recover", "risk"}, // a member will not come back with its disk; of most members none will, and the others go on without them; something stops on a member's host
}

// OnRecover is the moment at which members go on without a majority that is lost
// for good.
const OnRecover = "on recover"

// OnRisk is the moment at which a member may stop: the command asks whether the
// others are a majority without it, and changes nothing.
const OnRisk = "on risk"

// bindShape reads how the stack's members start and change.
func (b *binder) bindShape() {
	block := b.playbook.Stack
	b.stack.Form = Form(b.oneOf(block.Form, "form", string(FormTogether), string(FormTogether), string(FormInTurn)))
	b.stack.Roll = b.text(block.Roll, "roll")
	var sets []string
	for _, s := range b.stack.Slots {
		sets = append(sets, s.Name)
	}
	if b.stack.Roll == "" && len(sets) == 1 {
		b.stack.Roll = sets[0]
	}
	if b.stack.Roll != "" && !slices.Contains(sets, b.stack.Roll) {
		b.fail(block.Roll.Range(), "Unknown slots", "roll names the slots %q, which no `slots` block makes.%s", b.stack.Roll, didYouMean(b.stack.Roll, sets))
	}
}

// bindEnds reads what is reached from outside: ports, consoles and proofs.
func (b *binder) bindEnds() {
	for _, p := range b.playbook.Ports {
		if !b.when(p.When) {
			continue
		}
		port := Port{
			Name: p.Name, Number: b.portNumber(p.Number), Note: b.text(p.Note, "note"),
			Protocol: b.oneOf(p.Protocol, "protocol", "tcp", "tcp", "udp"),
			From:     b.oneOf(p.From, "from", "", "clients", "operators", "hosts"),
		}
		b.uniquePort(port, p.DefRange)
		b.stack.Ports = append(b.stack.Ports, port)
	}
	for _, c := range b.playbook.Consoles {
		if !b.when(c.When) {
			continue
		}
		b.stack.Consoles = append(b.stack.Consoles, Console{
			Name: c.Name, Port: b.portNumber(c.Port), Path: b.textOr(c.Path, "path", "/"),
			User: b.text(c.User, "user"), Secret: b.secretName(c.Secret),
		})
	}
	for _, p := range b.playbook.Proofs {
		b.stack.Proofs = append(b.stack.Proofs, Proof{
			Name: p.Name, Protocol: b.oneOf(p.Protocol, "protocol", "", "amqp", "http"),
			Port: b.portNumber(p.Port), Path: b.text(p.Path, "path"),
			User: b.text(p.User, "user"), Secret: b.secretName(p.Secret),
		})
	}
}

func (b *binder) uniquePort(p Port, at hcl.Range) {
	for _, other := range b.stack.Ports {
		if other.Number == p.Number && other.Protocol == p.Protocol && p.Number != 0 {
			b.fail(at, "A port twice", "The port %q is %d/%s already. Keep one of the two, or correct the number.", other.Name, p.Number, p.Protocol)
		}
	}
}

func (b *binder) portNumber(expr hcl.Expression) int {
	before := len(b.diags)
	n := b.number(expr, "port")
	if len(b.diags) > before {
		return 0
	}
	if n < 1 || n > 65535 {
		b.fail(expr.Range(), "Wrong port", "%d is no port: ports are 1 to 65535.", n)
	}
	return n
}

func (b *binder) secretName(expr hcl.Expression) string {
	name := b.text(expr, "secret")
	if name != "" && !slices.Contains(b.secretNames(), name) {
		b.fail(expr.Range(), "Unknown secret", "There is no secret %q that has a value of its own.%s", name, didYouMean(name, b.secretNames()))
	}
	return name
}

func (b *binder) bindGates() {
	b.names["missing"] = cty.StringVal(missingHole)
	defer delete(b.names, "missing")
	for _, g := range b.playbook.Gates {
		if !b.when(g.When) {
			continue
		}
		b.stack.Gates = append(b.stack.Gates, Gate{
			Name: g.Name, Exec: b.command(g.Exec, "exec"), Mend: b.command(g.Mend, "mend"),
			On:      On(b.oneOf(g.On, "on", string(OnOne), string(OnSlot), string(OnOne), string(OnEach))),
			Service: b.text(g.Service, "service"), Within: b.duration(g.Within, 5*time.Minute), Note: b.text(g.Note, "note"),
		})
	}
}

func (b *binder) bindHooks() {
	b.hooksOf("before", b.playbook.Before)
	b.hooksOf("after", b.playbook.After)
	b.hooksOf("on", b.playbook.On)
	b.nameHooks()
}

func (b *binder) hooksOf(kind string, blocks []hookBlock) {
	for _, h := range blocks {
		if !slices.Contains(moments[kind], h.Moment) {
			b.fail(h.LabelRange, "Unknown moment", "There is no moment %s %q; known are %s.", kind, h.Moment, listed(moments[kind]))
			continue
		}
		if b.when(h.When) {
			b.stack.Hooks = append(b.stack.Hooks, b.hook(kind, h))
		}
	}
}

// hook keeps the command with slot.name still open; see Hook.ExecFor.
func (b *binder) hook(kind string, h hookBlock) Hook {
	b.names["slot"] = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(slotHole)})
	defer delete(b.names, "slot")
	if kind+" "+h.Moment == OnRecover {
		b.names["lost"] = cty.StringVal(lostHole)
		defer delete(b.names, "lost")
	}
	return Hook{
		Moment: kind + " " + h.Moment, Name: b.text(h.Name, "name"),
		Exec: b.command(h.Exec, "exec"), Undo: b.command(h.Undo, "undo"), Within: b.duration(h.Within, 5*time.Minute), Note: b.text(h.Note, "note"),
		On: On(b.oneOf(h.On, "on", string(OnSlot), string(OnSlot), string(OnOne), string(OnEach), string(OnAnother))),
	}
}

// nameHooks gives every hook a name that is unique at its moment.
func (b *binder) nameHooks() {
	count := map[string]int{}
	for i := range b.stack.Hooks {
		h := &b.stack.Hooks[i]
		count[h.Moment]++
		if h.Name == "" {
			h.Name = fmt.Sprintf("%s-%d", strings.ReplaceAll(h.Moment, " ", "-"), count[h.Moment])
		}
	}
}

// slotHole stands in a hook's command where the slot's name will be.
const slotHole = "${slot.name}"

// ExecFor returns the hook's command for a slot.
func (h Hook) ExecFor(slot string) []string { return filled(h.Exec, slotHole, slot) }

// UndoFor returns the command that takes the hook's deed back for a slot, nil
// where there is none.
func (h Hook) UndoFor(slot string) []string {
	if h.Undo == nil {
		return nil
	}
	return filled(h.Undo, slotHole, slot)
}

func filled(command []string, hole, with string) []string {
	out := make([]string, len(command))
	for i, arg := range command {
		out[i] = strings.ReplaceAll(arg, hole, with)
	}
	return out
}

// lostHole stands in a command on recover where the names of the members will
// be that are lost.
const lostHole = "${lost}"

// ExecAfter returns the command of a hook on recover for a member that is left,
// after the loss of others.
func (h Hook) ExecAfter(slot string, lost []string) []string {
	exec := h.ExecFor(slot)
	for i, arg := range exec {
		exec[i] = strings.ReplaceAll(arg, lostHole, strings.Join(lost, " "))
	}
	return exec
}

// missingHole stands in a gate's command where the names of the members will
// be that are known to be down.
const missingHole = "${missing}"

// ExecWithout returns the gate's command where some members are known to be
// down, because their hosts are: nil when all are to be there.
func (g Gate) ExecWithout(missing []string) []string {
	return filled(g.Exec, missingHole, strings.Join(missing, " "))
}

// checkReferences holds what gates and slots say against the services that
// the compose file turned out to have.
func (b *binder) checkReferences() {
	var services []string
	for _, s := range b.stack.Services {
		services = append(services, strings.TrimPrefix(s.Name, b.stack.Name+"_"))
	}
	for _, g := range b.playbook.Gates {
		if name := b.text(g.Service, "service"); name != "" && !slices.Contains(services, name) {
			b.fail(g.Service.Range(), "Unknown service", "The compose file has no service %q; it has %s.%s", name, listed(services), didYouMean(name, services))
		}
	}
	for _, set := range b.stack.Slots {
		for _, slot := range set.Names {
			if !slices.Contains(services, slot) {
				b.fail(set.Range, "A slot without a service",
					"The compose file has no service %q: each slot needs a service of its name, best made by `%%{ for s in slots.%s ~}`.", slot, set.Name)
			}
		}
	}
}
