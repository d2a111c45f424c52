package main

import (
	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/state"
)

func (s *source) targetFlags(c *cobra.Command) {
	c.Flags().StringArrayVar(&s.targets, "target", nil, "only the step with this `ID` and all that it needs; may be repeated")
}

func (s *source) aroundFlag(c *cobra.Command) {
	c.Flags().BoolVar(&s.around, "allow-unreachable", false, "plan around hosts that cannot be reached, where a majority is left; say what is left out")
}

// plan makes the plan, or the part of it that was asked for.
func (s source) plan(want plan.Want, got state.Snapshot) (*plan.Plan, error) {
	p, err := plan.Make(want, got)
	if err != nil || len(s.targets) == 0 {
		return p, err
	}
	var ids []plan.ID
	for _, id := range s.targets {
		ids = append(ids, plan.ID(id))
	}
	return p.Target(ids)
}
