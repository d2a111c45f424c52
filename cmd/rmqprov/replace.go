package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/state"
)

func replaceCommand(a *app) *cobra.Command {
	var o applying
	c := &cobra.Command{
		Use:   "replace [FILE] HOST",
		Short: "Let a host leave in good order, so that another can take its place",
		Long: `Looks, prints the plan, asks, and does it: all gates of all stacks must hold, the host's members are made
ready to stop as their playbooks say (RabbitMQ: every queue has a quorum without this member, leaders and
clients are moved), and the host leaves the swarm.

Then put another host in its place in the inventory and run apply: the cluster forgets the members that left,
and new ones start empty under their names, join, and are filled. Until then it works with one member
fewer. Apply with the host still in the inventory takes it back with its data.

A host that is dead needs none of this: put another in its place and run apply.`,
		Example: `  rmqprov replace prod.hcl node-2
  rmqprov replace prod.hcl node-2 --yes && vi prod.hcl && rmqprov apply prod.hcl`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = optionalFile(args[:len(args)-1])
			o.leaves = args[len(args)-1]
			return a.apply(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&o.json, "json", false, "print one event a line as JSON, and nothing else, to stdout")
	c.Flags().DurationVar(&o.lockWait, "lock-wait", 0, "how long to wait for another run on this cluster, as 10m")
	return c
}

// plan makes the plan of an apply, or of a host's leaving.
func (o applying) plan(want plan.Want, got state.Snapshot) (*plan.Plan, error) {
	if o.leaves == "" {
		return o.source.plan(want, got)
	}
	for _, h := range want.Inventory.Hosts {
		if h.Name == o.leaves {
			return plan.Leave(want, got, o.leaves)
		}
	}
	return nil, fmt.Errorf("the inventory has no host %q; nothing was changed", o.leaves)
}

// verb is the run's name in the history.
func (o applying) verb() string {
	if o.leaves != "" {
		return "replace"
	}
	return "apply"
}
