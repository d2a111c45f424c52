package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Target keeps of a plan the steps with the given ids and all that they wait
// for, in the plan's order. An id that no step has is an error: a typing error
// must not look like a cluster that needs nothing.
func (p *Plan) Target(ids []ID) (*Plan, error) {
	keep := map[ID]bool{}
	for _, id := range ids {
		if i := slices.IndexFunc(p.LeftOut, func(l LeftOut) bool { return l.ID == id }); i >= 0 {
			return nil, fmt.Errorf("step %q is left out: %s", id, p.LeftOut[i].Why)
		}
		if _, ok := p.Step(id); !ok {
			return nil, fmt.Errorf("the plan has no step %q\n→ %s", id, p.near(id))
		}
		keep[id] = true
	}
	// Each step stands after what it waits for, so one pass backwards finds all.
	for _, s := range slices.Backward(p.Steps) {
		if keep[s.ID] {
			for _, id := range s.After {
				keep[id] = true
			}
		}
	}
	kept := slices.DeleteFunc(slices.Clone(p.Steps), func(s Step) bool { return !keep[s.ID] })
	return &Plan{Steps: kept, LeftOut: p.LeftOut, Notes: p.Notes}, nil
}

// near says which steps have an id that begins like one that no step has.
func (p *Plan) near(id ID) string {
	if p.Empty() {
		return "it has no steps at all: there is nothing to do"
	}
	parts := strings.SplitN(string(id), ".", 3)
	begin := strings.Join(parts[:min(2, len(parts))], ".")
	var found []string
	for _, s := range p.Steps {
		if strings.HasPrefix(string(s.ID), begin) && len(found) < 5 {
			found = append(found, string(s.ID))
		}
	}
	if len(found) == 0 {
		return "`rmqprov plan` prints the ids"
	}
	return "there are " + strings.Join(found, ", ")
}
