package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/provision/plan"
)

func rebootCommand(a *app) *cobra.Command {
	var o applying
	docker := false
	c := &cobra.Command{
		Use:   "reboot [FILE] HOST",
		Short: "Reboot a host with the care of a rolling change",
		Long: `Looks, prints the plan, asks, and does it: all gates of all stacks must hold, the host's members are made
ready to stop as their playbooks say (RabbitMQ: no alarm is in force, every queue has a quorum without this
member, leaders and clients are moved), the swarm's other managers must be a majority, and the host reboots.
With --docker only its Docker is upgraded, to the newest that the host's own packages have, and restarted.
It is done when the host is back with its Docker, its node is ready, its members are back in their
clusters, and all gates hold. One host at a time: reboot the next when this one is done.

Broken off, it leaves no member without clients: an interrupted run takes back what it prepared, and after a
kill the next apply does.`,
		Example: `  rmqprov reboot prod.hcl node-2
  rmqprov reboot prod.hcl node-2 --docker
  for host in node-1 node-2 node-3; do rmqprov reboot prod.hcl $host --yes || break; done`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = optionalFile(args[:len(args)-1])
			o.deed = deed{verb: "reboot", host: args[len(args)-1], plan: plan.Reboot}
			if docker {
				o.deed.plan = plan.Upgrade
			}
			return a.apply(c.Context(), o)
		},
	}
	o.deedFlags(c)
	c.Flags().BoolVar(&docker, "docker", false, "do not reboot, but upgrade its Docker to what its packages have, and restart that")
	return c
}

// deed is what is done with one host, where that is not an apply.
type deed struct {
	verb  string
	host  string
	plan  hostPlanner
	again string // the command that does what it has left; "": an apply
}

// deedFlags are those of a verb that carries out a plan of its own.
func (o *applying) deedFlags(c *cobra.Command) {
	o.flags(c)
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&o.json, "json", false, "print one event a line as JSON, and nothing else, to stdout")
	c.Flags().DurationVar(&o.lockWait, "lock-wait", time.Duration(0), "how long to wait for another run on this cluster, as 10m")
	o.reportFlag(c)
}
