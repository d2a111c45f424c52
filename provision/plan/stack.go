package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
)

// HashLabel is the label of a stack's record with the hash of what stood when
// its gates held last.
const HashLabel = "rmqprov.hash"

// defaultWithin bounds a gate or a hook whose playbook sets no bound.
const defaultWithin = 5 * time.Minute

// stacks plans every stack's objects, services and gates.
func (b *builder) stacks() {
	for _, s := range b.want.Stacks {
		p := stackPlan{builder: b, stack: s}
		from := len(b.steps)
		p.configs()
		p.secrets()
		p.services()
		p.settle()
		for _, step := range b.steps[from:] {
			b.part[step.ID] = s.Name
		}
	}
}

// stackPlan plans one stack.
type stackPlan struct {
	*builder
	stack   playbooks.Stack
	host    string              // set where the stack's members are cared for because of their host
	changed []ID                // steps that change the stack's services, with the slots' gates
	joined  []playbooks.Service // members that are made new beside others

	welcomed bool // what those are given is planned
}

func serviceID(stack, service string) ID {
	return stackID(stack, "service", strings.TrimPrefix(service, stack+"_"))
}

func (p *stackPlan) configs() {
	for _, c := range p.stack.Configs {
		if p.hasConfig(c.Object) {
			continue
		}
		p.add(Step{
			ID: stackID(p.stack.Name, "config", c.Name), Kind: Create, After: []ID{swarmInit},
			Summary: "create config " + c.Object, Why: "no config of that content",
			Action: CreateConfig{Object: c.Object, Content: c.Content, Labels: p.labels()},
		})
	}
}

func (b *builder) hasConfig(object string) bool {
	return b.got.Swarm.Value != nil && slices.ContainsFunc(b.got.Swarm.Value.Configs,
		func(c swarm.Config) bool { return c.Spec.Name == object })
}

func (b *builder) hasSecret(object string) bool {
	return b.got.Swarm.Value != nil && slices.ContainsFunc(b.got.Swarm.Value.Secrets,
		func(s swarm.Secret) bool { return s.Spec.Name == object })
}

func (p *stackPlan) secrets() {
	for _, s := range p.stack.Secrets {
		var missing, stale, names []string
		for _, o := range s.Objects {
			names = append(names, o.Object)
			if p.hasSecret(o.Object) {
				stale = append(stale, o.Object)
			} else {
				missing = append(missing, o.Object)
			}
		}
		if len(missing) == 0 {
			continue
		}
		if user := p.secretUser(stale); user != "" && s.Value == "" {
			p.refuse("", fmt.Sprintf("secret %s is gone while service %s still uses %s, made of the same generated value",
				strings.Join(missing, ", "), user, strings.Join(stale, ", ")),
				"give the value in the inventory (it is in a running container under /run/secrets)")
			continue
		}
		p.add(Step{
			ID: stackID(p.stack.Name, "secret", s.Name), Kind: Create, After: []ID{swarmInit},
			Summary: "create secret " + strings.Join(names, ", "), Why: secretWhy(s),
			Action: CreateSecret{Secret: s, Labels: p.labels()},
		})
	}
}

func secretWhy(s playbooks.Secret) string {
	if s.Value == "" {
		return "not there; its value will be generated once"
	}
	return "no secret of that value"
}

func (b *builder) secretUser(objects []string) string {
	if b.got.Swarm.Value == nil {
		return ""
	}
	for _, svc := range b.got.Swarm.Value.Services {
		for _, ref := range svc.Spec.TaskTemplate.ContainerSpec.Secrets {
			if slices.Contains(objects, ref.SecretName) {
				return svc.Spec.Name
			}
		}
	}
	return ""
}

// needs lists all that must stand before a service may start.
func (p *stackPlan) needs(svc playbooks.Service) []ID {
	ids := []ID{swarmInit, p.id("begin")}
	for _, n := range p.stack.Networks {
		ids = append(ids, networkID(n))
	}
	for _, c := range p.stack.Configs {
		ids = append(ids, stackID(p.stack.Name, "config", c.Name))
	}
	for _, s := range p.stack.Secrets {
		ids = append(ids, stackID(p.stack.Name, "secret", s.Name))
	}
	for _, h := range p.hostsOf(svc) {
		ids = append(ids, hostID(h, "swarm"), hostID(h, "node"), imageID(h, image(svc)))
	}
	for _, dep := range p.stack.DependsOn {
		ids = append(ids, stackID(dep, "ready"))
	}
	return ids
}

func image(svc playbooks.Service) string { return svc.Spec.TaskTemplate.ContainerSpec.Image }

func (b *builder) mayRunOn(svc playbooks.Service, host string) bool {
	return svc.Slot == "" || b.slots[svc.Slot] == host
}

// hostsOf are the hosts on which a service may run.
func (b *builder) hostsOf(svc playbooks.Service) []string {
	if h := b.slots[svc.Slot]; svc.Slot != "" {
		return []string{h}
	}
	var all []string
	for _, h := range b.inv.Hosts {
		all = append(all, h.Name)
	}
	return all
}

// imagesOf are the pulls of the images of a host's members.
func (b *builder) imagesOf(host string) []ID {
	var ids []ID
	for _, s := range b.want.Stacks {
		for _, svc := range s.Services {
			if svc.Slot != "" && b.slots[svc.Slot] == host {
				ids = append(ids, imageID(host, image(svc)))
			}
		}
	}
	return ids
}

func imageID(host, ref string) ID { return hostID(host, "image", ref) }

// images plans how one host gets its images, ahead of the services and in the order
// in which they are needed. They come after the host's joining: three images
// unpacked beside a joining manager starve the raft of the disk.
func (b *builder) images(h inventory.Host) {
	if b.engine(h.Name) == nil && b.member(h.Name) { // which images it has shows when it runs, and the swarm pulls what it lacks
		return
	}
	planned := map[string]bool{}
	var before []ID
	for _, s := range b.want.Stacks {
		for _, svc := range s.Services {
			ref := image(svc)
			if planned[ref] || !b.mayRunOn(svc, h.Name) || b.hasImage(h.Name, ref) {
				continue
			}
			planned[ref] = true
			step := b.imageStep(h.Name, ref)
			step.After = slices.Concat(step.After, []ID{swarmInit, hostID(h.Name, "docker"), hostID(h.Name, "daemon"), hostID(h.Name, "swarm")}, before)
			b.add(step)
			before = []ID{imageID(h.Name, ref)}
		}
	}
}

func (b *builder) hasImage(host, ref string) bool {
	e := b.engine(host)
	return e != nil && e.Images[ref]
}

func (b *builder) service(name string) (swarm.Service, bool) {
	if b.got.Swarm.Value == nil {
		return swarm.Service{}, false
	}
	for _, s := range b.got.Swarm.Value.Services {
		if s.Spec.Name == name {
			return s, true
		}
	}
	return swarm.Service{}, false
}

// slotGates plans the gates that a member must pass after its own change.
func (p *stackPlan) slotGates(svc playbooks.Service, after ...ID) []ID {
	var ids []ID
	for _, g := range p.gatesOn(svc) {
		id := p.slotGateID(g, svc)
		if !p.planned(id) {
			p.add(p.gateStep(id, g, g.Name+" on "+svc.Slot, []string{svc.Name}, after))
		}
		ids = append(ids, id)
	}
	return ids
}

// slotGatesAgain plans those gates after a change of a member that may have had to
// pass them before it: it came to another host as it was.
func (p *stackPlan) slotGatesAgain(svc playbooks.Service, change ID) []ID {
	var ids []ID
	for _, g := range p.gatesOn(svc) {
		id, name := p.slotGateID(g, svc), g.Name+" on "+svc.Slot
		if p.planned(id) {
			id, name = id+".again", name+" again"
		}
		p.add(p.gateStep(id, g, name, []string{svc.Name}, []ID{change}))
		ids = append(ids, id)
	}
	return ids
}

// gatesOn are the gates that a member must pass by itself.
func (p *stackPlan) gatesOn(svc playbooks.Service) []playbooks.Gate {
	return slices.DeleteFunc(slices.Clone(p.stack.Gates), func(g playbooks.Gate) bool { return svc.Slot == "" || g.On != playbooks.OnSlot })
}

func (p *stackPlan) slotGateID(g playbooks.Gate, svc playbooks.Service) ID {
	return stackID(p.stack.Name, "gate", g.Name, svc.Slot)
}

// slotGateIDs are the ids of those gates.
func (p *stackPlan) slotGateIDs(svc playbooks.Service) []ID {
	var ids []ID
	for _, g := range p.gatesOn(svc) {
		ids = append(ids, p.slotGateID(g, svc))
	}
	return ids
}

func (b *builder) planned(id ID) bool {
	return slices.ContainsFunc(b.steps, func(s Step) bool { return s.ID == id })
}

func (p *stackPlan) gateStep(id ID, g playbooks.Gate, name string, services []string, after []ID) Step {
	return Step{
		ID: id, Kind: Run, Summary: "wait for gate " + name, Why: orDefault(g.Note, "the stack changes"), After: after,
		Action: RunCommand{Exec: g.ExecWithout(p.missing(p.stack)), Mend: g.Mend, Services: services, All: g.On == playbooks.OnEach, Within: within(g.Within)},
	}
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func within(d time.Duration) time.Duration {
	if d == 0 {
		return defaultWithin
	}
	return d
}

// hooks plans the playbook's deeds at a moment: of a member, or of the stack as
// a whole where svc is none.
func (p *stackPlan) hooks(moment string, svc playbooks.Service, after []ID) []ID {
	var ids []ID
	if moment == "before stop" && !p.runs(svc) {
		return nil
	}
	for _, h := range p.stack.Hooks {
		if h.Moment != moment || h.On == playbooks.OnSlot && svc.Slot == "" {
			continue
		}
		id := p.id(strings.ReplaceAll(moment, " ", "-"), h.Name, svc.Slot)
		where := svc.Slot
		if svc.Slot == "" {
			id, where = p.id(strings.ReplaceAll(moment, " ", "-"), h.Name), p.stack.Name
		}
		var guard *Guard
		if moment == "before stop" {
			guard = p.guardStop(svc)
		}
		p.add(Step{
			ID: id, Kind: Run, Summary: fmt.Sprintf("run %s of %s", h.Name, where), Why: orDefault(h.Note, moment+" of "+where), Guard: guard,
			After:  append(slices.Clone(after), ids...),
			Action: RunCommand{Exec: h.ExecFor(svc.Slot), Undo: h.UndoFor(svc.Slot), Services: p.hookServices(h, svc), All: h.On == playbooks.OnEach, Within: within(h.Within), Once: true}.forced(moment == "before stop" && p.want.ForceQuorumLoss),
		})
		ids = append(ids, id)
	}
	return ids
}

func (p *stackPlan) id(parts ...string) ID {
	if p.host != "" {
		return hostID(p.host, append([]string{p.stack.Name}, parts...)...)
	}
	return stackID(p.stack.Name, parts...)
}

func (p *stackPlan) hookServices(h playbooks.Hook, svc playbooks.Service) []string {
	if h.On == playbooks.OnSlot {
		return []string{svc.Name}
	}
	return slices.DeleteFunc(GateServices(p.stack, playbooks.Gate{}), func(name string) bool { return h.On == playbooks.OnAnother && name == svc.Name })
}

// GateServices are the swarm services in whose containers a gate is asked: the
// one that it names, or the members of the stack's slots, or all.
func GateServices(stack playbooks.Stack, g playbooks.Gate) []string {
	var members, all []string
	for _, s := range stack.Services {
		all = append(all, s.Name)
		if s.Slot != "" {
			members = append(members, s.Name)
		}
		if g.Service != "" && s.Name == stack.Name+"_"+g.Service {
			return []string{s.Name}
		}
	}
	if len(members) > 0 {
		return members
	}
	return all
}

// settle plans what comes after the changes of a stack: its gates, the
// playbook's deeds, and the record that all is done. The record is cleared
// before the first change, so that a run killed anywhere in between is
// finished by the next one, which finds it unsettled.
func (p *stackPlan) settle() {
	if p.hasRecord() {
		p.changed = append(p.changed, p.restarts...)
	}
	away := p.slotsWhere(p.stack, func(host string) bool { return p.away[host] })
	hash, recorded := p.hash(append(away, p.alsoOn()...)...), p.recorded()
	if len(p.changed) == 0 && (recorded == hash || recorded == p.hash()) {
		return
	}
	if len(away) > 0 && !p.hasRecord() {
		p.hold(p.id("ready"), "the stack has not stood yet, and cannot form while "+areDown(away)+" out of reach")
	}
	if len(p.changed) > 0 && recorded != "" {
		p.add(Step{
			ID: p.id("begin"), Kind: Run, Summary: "note that stack " + p.stack.Name + " is being changed", Why: "its gates held, and must hold again",
			Action: p.record(""),
		})
	}
	p.welcome()
	after := p.stackGates(p.changed, "")
	for _, moment := range p.moments() {
		after = append(after, p.hooks(moment, playbooks.Service{}, after)...)
	}
	// What depends on the stack waits for all of this under one name.
	p.add(Step{
		ID: p.id("ready"), Kind: Run, Summary: "note that stack " + p.stack.Name + " stands and its gates hold",
		Why: recordWhy(recorded, hash), After: append([]ID{swarmInit}, after...), Action: p.record(hash),
	})
}

// welcome plans what members are given that are made new beside others. Until they
// have it, queues count on fewer members than they should: it comes before a member
// that runs is stopped for a change.
func (p *stackPlan) welcome() {
	if p.welcomed {
		return
	}
	p.welcomed = true
	if p.hasRecord() && p.recorded() == "" { // a run was killed: which members it made, or did not wait for, is not known
		p.joined = slices.DeleteFunc(p.members(), func(s playbooks.Service) bool { return p.away[p.slots[s.Slot]] })
		for _, svc := range p.joined {
			p.changed = append(p.changed, p.slotGates(svc)...)
		}
	}
	after := p.changed
	for _, svc := range p.joined {
		p.changed = append(slices.Clone(p.changed), p.hooks("after join", svc, after)...)
	}
}

// moments are the moments of the stack as a whole that a change of it brings.
// Where members start on the data of an earlier cluster, which was destroyed,
// what they keep there must be changed as well: passwords are new.
func (p *stackPlan) moments() []string {
	if p.hasRecord() {
		return []string{"after change"}
	}
	kept := slices.ContainsFunc(p.members(), func(s playbooks.Service) bool { return p.hasData(p.stack, s.Slot, p.slots[s.Slot]) })
	if kept {
		return []string{"after form", "after change"}
	}
	return []string{"after form"}
}

// stackGates plans the gates of the stack as a whole, one after the other: when
// is "before" a roll, the slot that has just changed, or "" after all. It returns
// all that the next step waits for.
func (p *stackPlan) stackGates(after []ID, when string) []ID {
	for _, g := range p.stack.Gates {
		if g.On == playbooks.OnSlot {
			continue
		}
		id, name := p.id("gate", g.Name), g.Name
		switch when {
		case "":
		case "before":
			id, name = p.id("gate", g.Name, when), g.Name+" before anything stops"
		default:
			id, name = p.id("gate", g.Name, when), g.Name+" after "+when
		}
		step := p.gateStep(id, g, name, GateServices(p.stack, g), after)
		step.Action = step.Action.(RunCommand).forced(when == "before" && p.want.ForceQuorumLoss)
		p.add(step)
		after = append(slices.Clone(after), id)
	}
	return after
}

func (p *stackPlan) members() []playbooks.Service {
	return slices.DeleteFunc(slices.Clone(p.stack.Services), func(s playbooks.Service) bool { return s.Slot == "" })
}

func (p *stackPlan) record(hash string) RecordStack {
	labels := p.labels()
	if stood := p.standing(hash != ""); stood != "" {
		labels[StoodLabel] = stood
	}
	return RecordStack{Stack: p.stack.Name, Object: p.recordObject(), Hash: hash, Labels: labels}
}

// hasRecord says that the stack stood once: its gates held, settled or not.
func (p *stackPlan) hasRecord() bool { return p.hasConfig(p.recordObject()) }

func recordWhy(recorded, hash string) string {
	if recorded == "" {
		return "no record that they do"
	}
	if recorded == hash {
		return "they must hold again"
	}
	return fmt.Sprintf("the record says %.4s, want %.4s", recorded, hash)
}

func (p *stackPlan) recordObject() string { return RecordObject(p.inv.Cluster.Name, p.stack.Name) }

// RecordObject is the name of the Docker config that holds a stack's record.
func RecordObject(cluster, stack string) string { return "rmqprov-" + cluster + "-" + stack }

func (p *stackPlan) recorded() string {
	return p.label(HashLabel)
}

// hash is taken over everything that the stack's gates vouch for: without the
// members whose hosts cannot be reached, who are to be asked when they are back.
func (p *stackPlan) hash(without ...string) string {
	data, err := json.Marshal(struct {
		Services []playbooks.Service
		Gates    []playbooks.Gate
		Without  []string `json:",omitempty"`
	}{p.stack.Services, p.stack.Gates, without})
	if err != nil {
		panic("plan: a service spec does not marshal: " + err.Error())
	}
	return sum(data)[:16]
}
