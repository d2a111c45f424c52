package plan

import (
	"slices"

	"github.com/rmqprov/rmqprov/provision/cloud/group"
)

// ChangeGroup carries out one deed on the security group in EC2.
type ChangeGroup struct{ Deed group.Deed }

func (ChangeGroup) action() {}

// groupWant is the security group as the inventory and its stacks want it.
func (b *builder) groupWant() group.Want {
	var ports []group.Port
	for _, s := range b.want.Stacks {
		for _, p := range s.Ports {
			ports = append(ports, group.Port{Stack: s.Name, Name: p.Name, Number: p.Number, Protocol: p.Protocol, From: p.From, Note: p.Note})
		}
	}
	return group.Wanted(b.inv, ports)
}

// checkGroup refuses to plan on a security group that could not be seen.
func (b *builder) checkGroup() {
	if err := b.got.Group.Err; err != nil {
		b.refuse("", "the security group could not be seen: "+err.Error(), "")
	}
}

// group plans the security group. It comes after all other topics, because what
// needs its ports waits for them, and what is closed waits for what needed it.
func (b *builder) group() {
	if b.got.Group.Value == nil {
		return
	}
	items, refused := group.Diff(b.groupWant(), *b.got.Group.Value)
	b.refuseGroup(refused)
	opened := opening{hosts: map[string]ID{}}
	for _, i := range items {
		if i.Phase == group.Open {
			opened.note(i, b.member(i.Host))
		}
	}
	users := b.portUsers()
	for i := range b.steps {
		if s := &b.steps[i]; needsPorts(s.Action) {
			s.After = slices.Concat(s.After, opened.before(*s))
		}
	}
	for _, i := range items {
		step := groupStep(i)
		if i.Phase == group.Close {
			step.After = append(step.After, users...)
		}
		b.add(step)
	}
}

func (b *builder) refuseGroup(refused []group.Refusal) {
	for _, r := range refused {
		b.refuse(r.Host, r.Reason, r.Fix)
	}
}

// opening are the steps that open ports, by who must wait for them.
type opening struct {
	all   []ID          // rules, and hosts that are in the swarm without the group
	hosts map[string]ID // hosts that are still to join: only what happens there waits
}

func (o *opening) note(i group.Item, member bool) {
	if i.Host != "" && !member {
		o.hosts[i.Host] = ID(i.ID)
		return
	}
	o.all = append(o.all, ID(i.ID))
}

func (o *opening) before(s Step) []ID {
	hosts := []string{s.Host}
	if proof, ok := s.Action.(Preflight); ok {
		for _, w := range proof.In {
			hosts = append(hosts, w.From)
		}
	}
	ids := slices.Clone(o.all)
	for _, h := range hosts {
		if id, ok := o.hosts[h]; ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// needsPorts says whether a step works only when hosts reach each other.
func needsPorts(a Action) bool {
	switch a.(type) {
	case Preflight, InitSwarm, JoinSwarm, UpdateNode, ForgetNode, CreateService, UpdateService, AwaitService, RunCommand:
		return true
	}
	return false
}

// portUsers are the steps after which old ports are in use no more: a member
// that could not be changed still has its old ones.
func (b *builder) portUsers() []ID {
	var ids []ID
	for _, s := range b.steps {
		switch s.Action.(type) {
		case CreateService, UpdateService, AwaitService, RemoveService, RunCommand, RecordStack, ForgetNode, RemoveNetwork:
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func groupStep(i group.Item) Step {
	s := Step{
		ID: ID(i.ID), Kind: Kind(i.Kind), Host: i.Host, Summary: i.Summary, Why: i.Why,
		Disrupts: i.Disrupts, Action: ChangeGroup{Deed: i.Deed},
	}
	for _, c := range i.Changes {
		s.Changes = append(s.Changes, Change(c))
	}
	for _, id := range i.After {
		s.After = append(s.After, ID(id))
	}
	return s
}

// takeGroup plans the end of the security group, after all else: what is still
// to be taken away may need its ports. A swarm that stays does too.
func (d *demolition) takeGroup(swarmStays bool) {
	if d.got.Group.Value == nil || swarmStays {
		return
	}
	items, refused := group.Remove(d.groupWant(), *d.got.Group.Value)
	d.refuseGroup(refused)
	onHost := map[string][]ID{}
	for _, s := range d.steps {
		onHost[s.Host] = append(onHost[s.Host], s.ID)
	}
	for _, i := range items {
		step := groupStep(i)
		step.After = append(append(step.After, d.swarm...), onHost[step.Host]...)
		d.add(step)
	}
}
