package plan

import (
	"time"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// RestoreData gives a command in a container of one of the services what a
// backup kept, on its stdin.
type RestoreData struct {
	Exec     []string
	Services []string
	Within   time.Duration
	Content  []byte `json:"-"` // may hold secrets
}

func (RestoreData) action() {}

// Kept is what a backup holds, by stack and name; nil where it has no such thing.
type Kept func(stack, name string) []byte

// Restore plans how stacks that stand take back what a backup kept of them, one
// after the other, each until its gates hold. The error is a Refused.
func Restore(want Want, got state.Snapshot, kept Kept) (*Plan, error) {
	b := newBuilder(want, got)
	b.checkHosts()
	b.checkSwarm()
	if len(b.refused) == 0 {
		b.assignSlots()
	}
	for _, s := range want.Stacks {
		p := &stackPlan{builder: b, stack: s}
		if len(b.refused) == 0 {
			p.restore(kept)
		}
	}
	if len(b.refused) > 0 {
		return nil, b.refused
	}
	return &Plan{Steps: sorted(b.steps)}, nil
}

func (p *stackPlan) restore(kept Kept) {
	var steps []Step
	for _, backup := range p.stack.Backups {
		if content := kept(p.stack.Name, backup.Name); content != nil && backup.Restore != nil {
			steps = append(steps, p.restoreStep(backup, content))
		}
	}
	if len(steps) == 0 {
		return
	}
	if !p.hasRecord() {
		p.refuse("", "stack "+p.stack.Name+" does not stand, and cannot take back what the backup kept of it", "apply first")
		return
	}
	after := p.stackGates([]ID{p.id("begin")}, "before")
	for _, dep := range p.stack.DependsOn {
		after = append(after, stackID(dep, "ready"))
	}
	for _, step := range steps {
		step.After = after
		p.add(step)
		after = []ID{step.ID}
		p.changed = append(p.changed, step.ID)
	}
	p.settle()
}

func (p *stackPlan) restoreStep(backup playbooks.Backup, content []byte) Step {
	return Step{
		ID: p.id("restore", backup.Name), Kind: Update, Summary: "restore " + backup.Name + " of " + p.stack.Name,
		Why: orDefault(backup.Note, "the backup has it"), Disrupts: "overwrites what " + p.stack.Name + " holds of it",
		Action: RestoreData{Exec: backup.Restore, Services: GateServices(p.stack, playbooks.Gate{}), Within: within(backup.Within), Content: content},
	}
}
