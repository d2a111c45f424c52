package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/playbooks"
)

func playbookCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "playbook",
		Short: "Look at playbooks, and write and try your own",
		Example: `  rmqprov playbook list
  rmqprov playbook show rabbitmq
  rmqprov playbook new orders
  rmqprov playbook test ./playbooks/orders`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use:     "list",
		Short:   "List the playbooks that rmqprov carries",
		Example: "  rmqprov playbook list",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			t := tabwriter.NewWriter(a.Stdout, 0, 8, 2, ' ', 0)
			for _, info := range playbooks.List() {
				fmt.Fprintf(t, "%s\t%s\n", info.Name, info.Description)
			}
			return t.Flush()
		},
	}, &cobra.Command{
		Use:   "show NAME",
		Short: "Show a playbook's inputs and their defaults",
		Long:  "NAME is a playbook that rmqprov carries, or a folder of your own, written ./FOLDER.",
		Example: `  rmqprov playbook show rabbitmq
  rmqprov playbook show ./playbooks/orders`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.showPlaybook(args[0]) },
	}, playbookNewCommand(a), playbookTestCommand(a))
	return c
}

func (a *app) showPlaybook(name string) error {
	info, err := playbooks.Show(name, ".")
	if diags, ok := errors.AsType[hcl.Diagnostics](err); ok {
		if err := a.printDiagnostics(a.Stderr, playbooks.Sources(diags), diags); err != nil {
			return err
		}
		return exit{status: statusFailed}
	}
	if err != nil {
		return err
	}
	return writePlaybook(a.Stdout, info)
}

func writePlaybook(w io.Writer, info playbooks.Info) error {
	fmt.Fprintf(w, "playbook %s: %s\n\n", info.Name, info.Description)
	name, kind := len("INPUT"), len("TYPE")
	for _, in := range info.Inputs {
		name, kind = max(name, len(in.Name)), max(kind, len(in.Type))
	}
	fmt.Fprintf(w, "%-*s  %-*s  DEFAULT\n", name, "INPUT", kind, "TYPE")
	for _, in := range info.Inputs {
		value, note := in.Default, in.Description
		if in.Required {
			value = "(must be given)"
		}
		if in.Sensitive {
			note = "(sensitive) " + note
		}
		if _, err := fmt.Fprintf(w, "%-*s  %-*s  %s\n    %s\n", name, in.Name, kind, in.Type, value, note); err != nil {
			return err
		}
	}
	return nil
}
