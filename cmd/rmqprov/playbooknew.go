package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/playbooks"
)

func playbookNewCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "new NAME [DIR]",
		Short: "Write a playbook to start from",
		Long: `Writes a playbook that works as it is: members with names and disks, a config, a secret, a port, a gate and a
deed before a member stops, each with a comment. It goes into DIR, which must not be there yet; without it, into
playbooks/NAME.`,
		Example: `  rmqprov playbook new orders
  rmqprov playbook test ./playbooks/orders`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := filepath.Join("playbooks", args[0])
			if len(args) > 1 {
				dir = args[1]
			}
			return a.newPlaybook(args[0], dir)
		},
	}
}

func (a *app) newPlaybook(name, dir string) error {
	written, err := playbooks.WriteSkeleton(dir, name)
	if err != nil {
		return fmt.Errorf("writing the playbook: %w\n→ rmqprov playbook new NAME [DIR]", err)
	}
	for _, path := range written {
		fmt.Fprintln(a.Stdout, "Wrote "+path)
	}
	folder := filepath.ToSlash(dir)
	if !filepath.IsAbs(dir) {
		folder = "./" + folder
	}
	_, err = fmt.Fprintf(a.Stdout, "\nTry it on hosts of this machine:\n  rmqprov playbook test %s\n\nUse it in an inventory:\n  stack %q { playbook = %q }\n", folder, name, folder)
	return err
}
