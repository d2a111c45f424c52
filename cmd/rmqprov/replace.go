package main

import (
	"cmp"
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
			o.deed = deed{verb: "replace", host: args[len(args)-1], plan: plan.Leave}
			return a.apply(c.Context(), o)
		},
	}
	o.deedFlags(c)
	o.forceFlag(c)
	return c
}

// hostPlanner plans a deed that concerns one host.
type hostPlanner func(want plan.Want, got state.Snapshot, host string) (*plan.Plan, error)

// plan makes the plan of an apply, or of another deed with a host.
func (o applying) plan(want plan.Want, got state.Snapshot) (*plan.Plan, error) {
	if o.rollback {
		return plan.Rollback(want, got)
	}
	if o.deed.plan == nil {
		return o.source.plan(want, got)
	}
	if o.deed.host == "" {
		return o.deed.plan(want, got, "")
	}
	for _, h := range want.Inventory.Hosts {
		if h.Name == o.deed.host {
			return o.deed.plan(want, got, o.deed.host)
		}
	}
	return nil, fmt.Errorf("the inventory has no host %q; nothing was changed", o.deed.host)
}

// again is the command that does what such a run has left.
func (o applying) again() string {
	if o.rollback {
		return "rmqprov apply " + o.file + " --rollback"
	}
	return cmp.Or(o.deed.again, "rmqprov apply "+o.file)
}

// verb is the run's name in the history.
func (o applying) verb() string {
	if o.rollback {
		return "rollback"
	}
	return cmp.Or(o.deed.verb, "apply")
}
