package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func validateCommand(a *app) *cobra.Command {
	var s source
	c := &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check an inventory and its playbooks, touching no host",
		Long:  "Reports everything that can be known wrong from the files alone, all at once, each mistake with its line.",
		Example: `  rmqprov validate
  rmqprov validate prod.hcl --var-file prod.vars.hcl`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s.file = optionalFile(args)
			want, err := a.load(s)
			if err != nil {
				return err
			}
			inv := want.Inventory
			hosts := count(len(inv.Hosts), "host", "hosts")
			if len(inv.Discover) > 0 {
				hosts += " and those that are discovered"
			}
			fmt.Fprintf(a.Stdout, "%s is sound: cluster %s, %s, %s.\n", s.file, inv.Cluster.Name, hosts, count(len(want.Stacks), "stack", "stacks"))
			return nil
		},
	}
	s.flags(c)
	return c
}
