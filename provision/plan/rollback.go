package plan

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// StoodLabel is the label of a stack's record with the services as they were
// when its gates held last: JSON, packed. Configs and secrets stand in it by name.
const StoodLabel = "rmqprov.stood"

// Rollback plans the way back of stacks that a broken off change has left: their
// services become what they were when the stack's gates held last. The swarm's
// own PreviousSpec would be wrong for members that the change has not reached,
// or that were changed twice. The error is a Refused.
func Rollback(want Want, got state.Snapshot) (*Plan, error) {
	b := newBuilder(want, got)
	b.checkHosts()
	b.checkSwarm()
	if len(b.refused) > 0 {
		return nil, b.refused
	}
	broken := b.broken()
	b.assignSlots()
	if len(b.refused) > 0 {
		return nil, b.refused
	}
	for _, s := range broken {
		p := &stackPlan{builder: b, stack: s}
		p.goBack()
		p.settle()
	}
	if len(b.refused) > 0 {
		return nil, b.refused
	}
	b.noteRollback(broken)
	return &Plan{Steps: sorted(b.steps), Notes: b.notes}, nil
}

// broken are the stacks that were changed and whose gates have not held since,
// with the services that stood before.
func (b *builder) broken() []playbooks.Stack {
	var broken []playbooks.Stack
	for _, s := range b.want.Stacks {
		p := &stackPlan{builder: b, stack: s}
		if !p.hasRecord() || p.recorded() != "" {
			continue
		}
		services, err := unpack(p.label(StoodLabel))
		if err != nil || len(services) == 0 {
			b.refuse("", "stack "+s.Name+" does not stand, and its record does not tell what stood before",
				"it was written by an earlier version of rmqprov: apply the inventory as it was before the change")
			continue
		}
		s.Services, s.Configs, s.Secrets = services, nil, nil
		s.Hooks = slices.DeleteFunc(slices.Clone(s.Hooks), func(h playbooks.Hook) bool { return h.Moment == "before upgrade" })
		broken = append(broken, s)
	}
	return broken
}

func (b *builder) noteRollback(broken []playbooks.Stack) {
	if len(broken) == 0 {
		b.note("every stack stands as it was applied last: there is no change that was broken off, and nothing to go back from")
		return
	}
	b.note("take the change back in the inventory too, or the next apply makes it again")
}

// goBack plans the change of what differs from what stood. The member that was
// changed last is the one that did not come back: it goes first, and nothing is
// asked of it. The others then roll with all care, once that one is back.
func (p *stackPlan) goBack() {
	var differ []change
	for _, svc := range p.stack.Services {
		p.checkObjects(svc)
		seen, exists := p.service(svc.Name)
		if !exists {
			p.create(svc, nil)
			continue
		}
		if fields := specChanges(likeWanted(p.named(seen.Spec), image(svc)), svc.Spec); len(fields) > 0 {
			differ = append(differ, change{svc, fields})
		}
	}
	slices.SortStableFunc(differ, func(x, y change) int { return p.updated(y).Compare(p.updated(x)) })
	var rest []change
	for i, c := range differ {
		if i > 0 && p.runs(c.service) && restarts(c.fields) {
			rest = append(rest, c)
			continue
		}
		step := p.update(c.service, c.fields)
		step.Why = "it was changed, and its stack's gates have not held since"
		if p.runs(c.service) {
			p.checkOthers(c.service)
			step.Disrupts = "restarts " + c.service.Name + p.onHost(c.service.Slot)
			step.Guard = p.guard(p.slots[c.service.Slot], false)
		}
		p.note(c.service, step)
	}
	p.roll(rest)
}

// updated is when the swarm was last told to change a service.
func (p *stackPlan) updated(c change) time.Time {
	seen, _ := p.service(c.service.Name)
	return seen.UpdatedAt
}

// checkOthers refuses to restart a member, of which nothing is asked, where the
// others that run are no majority of their set.
func (p *stackPlan) checkOthers(svc playbooks.Service) {
	for _, set := range p.stack.Slots {
		if !slices.Contains(set.Names, svc.Slot) {
			continue
		}
		others := 0
		for _, other := range p.members() {
			if other.Slot != svc.Slot && slices.Contains(set.Names, other.Slot) && p.runs(other) {
				others++
			}
		}
		if len(set.Names) > 2 && 2*others <= len(set.Names) {
			p.refuse("", fmt.Sprintf("%s runs and would be restarted, while only %d of the %d others of its set run", svc.Name, others, len(set.Names)-1),
				"bring those back first")
		}
	}
}

// checkObjects refuses where a config or secret is gone that a service had.
func (p *stackPlan) checkObjects(svc playbooks.Service) {
	container := svc.Spec.TaskTemplate.ContainerSpec
	for _, ref := range container.Configs {
		if !p.hasConfig(ref.ConfigName) {
			p.refuse("", "service "+svc.Name+" had config "+ref.ConfigName+", which is gone", "apply the inventory as it was before the change: it makes the config again")
		}
	}
	for _, ref := range container.Secrets {
		if !p.hasSecret(ref.SecretName) {
			p.refuse("", "service "+svc.Name+" had secret "+ref.SecretName+", which is gone", "apply an inventory that gives its value")
		}
	}
}

// label is a label of the stack's record, "" where there is none.
func (p *stackPlan) label(key string) string {
	if p.got.Swarm.Value == nil {
		return ""
	}
	for _, c := range p.got.Swarm.Value.Configs {
		if c.Spec.Name == p.recordObject() {
			return c.Spec.Labels[key]
		}
	}
	return ""
}

// standing is what the record is to say of the services: as they are now that
// the gates hold, or what it said before, while they do not or while members
// are out of reach.
func (p *stackPlan) standing(holds bool) string {
	if !holds || len(p.away) > 0 {
		return p.label(StoodLabel)
	}
	return pack(p.stack.Services)
}

func pack(services []playbooks.Service) string {
	text, err := json.Marshal(services)
	if err != nil {
		panic("plan: a service spec does not marshal: " + err.Error())
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(text) // a buffer takes all
	w.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// maxStood bounds what a record unpacks to, in bytes.
const maxStood = 16 << 20

func unpack(label string) (services []playbooks.Service, err error) {
	packed, err := base64.StdEncoding.DecodeString(label)
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	err = json.NewDecoder(io.LimitReader(r, maxStood)).Decode(&services)
	return services, err
}
