// Package plan decides what to do. Make is a pure function of what is wanted
// and what was seen: it knows no clock, network, randomness or map order, so
// the same input gives the same plan, byte for byte.
package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
)

// Want is what the user asks for.
type Want struct {
	Inventory *inventory.Inventory
	Stacks    []playbooks.Stack

	// AllowUnreachable plans around hosts that cannot be reached, where what is
	// left has a majority.
	AllowUnreachable bool

	// ForceQuorumLoss goes on where a majority would be lost.
	ForceQuorumLoss bool
}

// ID names a step. It is the same from run to run for the same deed.
type ID string

// Kind says what a step does to the thing that it is about.
type Kind string

// The kinds of step. Run changes nothing that is described by the inventory:
// a gate, a hook, a record.
const (
	Create  Kind = "create"
	Update  Kind = "update"
	Replace Kind = "replace"
	Delete  Kind = "delete"
	Run     Kind = "run"
)

// Step is one thing to do, as data.
type Step struct {
	ID      ID
	Kind    Kind
	Host    string // the inventory's name of the host it happens on, "" for the swarm as a whole
	Summary string // what is done, in the imperative
	Why     string // what was seen that makes it necessary
	Changes []Change
	After   []ID // what must be done before
	Action  Action

	// Guard is what must hold when the step begins; nil: nothing.
	Guard *Guard

	// Disrupts says what running thing the step restarts or takes away; ""
	// where it does neither.
	Disrupts string
}

// Change is one field before and after. Sensitive values read Hidden.
type Change struct {
	Path   string `json:"path"`
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// Hidden stands for a value that is not shown.
const Hidden = "(sensitive)"

// Plan is an ordered list of steps: each stands after all that it waits for.
type Plan struct {
	Steps []Step
	// LeftOut is what is not done because hosts cannot be reached: of each
	// such host, and of steps that would need it.
	LeftOut []LeftOut
	// Notes are what is worth knowing and keeps nothing from being done.
	Notes []string
}

// Empty says that there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 }

// Step returns the step with an id.
func (p *Plan) Step(id ID) (Step, bool) {
	i := slices.IndexFunc(p.Steps, func(s Step) bool { return s.ID == id })
	if i < 0 {
		return Step{}, false
	}
	return p.Steps[i], true
}

// Disruptive returns the steps that restart or take away something that runs.
func (p *Plan) Disruptive() []Step {
	return slices.DeleteFunc(slices.Clone(p.Steps), func(s Step) bool { return s.Disrupts == "" })
}

// Refusal says why no plan is made.
type Refusal struct {
	Host   string // "" where it concerns the cluster
	Reason string
	Fix    string
}

// Refused is the error of a plan that must not be made. Nothing was touched.
type Refused []Refusal

func (r Refused) Error() string {
	var b strings.Builder
	b.WriteString("no plan is made, and nothing was touched:")
	for _, x := range r {
		b.WriteString("\n  - ")
		if x.Host != "" {
			fmt.Fprintf(&b, "host %s: ", x.Host)
		}
		b.WriteString(x.Reason)
		if x.Fix != "" {
			b.WriteString("\n    → " + x.Fix)
		}
	}
	return b.String()
}

// sorted orders steps so that each stands after what it waits for, and keeps
// the given order otherwise. Ids that no step has are dropped: what they stand
// for holds already. A cycle is a defect of the planner and panics.
func sorted(steps []Step) []Step {
	index := map[ID]int{}
	for i, s := range steps {
		if _, twice := index[s.ID]; twice {
			panic("plan: two steps are called " + string(s.ID))
		}
		index[s.ID] = i
	}
	out := make([]Step, 0, len(steps))
	state := make([]int, len(steps)) // 0 not seen, 1 being placed, 2 placed
	var place func(i int)
	place = func(i int) {
		switch state[i] {
		case 1:
			panic("plan: a cycle through " + string(steps[i].ID))
		case 2:
			return
		}
		state[i] = 1
		s := steps[i]
		s.After = known(s.After, index)
		for _, id := range s.After {
			place(index[id])
		}
		state[i] = 2
		out = append(out, s)
	}
	for i := range steps {
		place(i)
	}
	return out
}

func known(after []ID, index map[ID]int) []ID {
	kept := slices.DeleteFunc(slices.Clone(after), func(id ID) bool { _, ok := index[id]; return !ok })
	slices.Sort(kept)
	return slices.Compact(kept)
}
