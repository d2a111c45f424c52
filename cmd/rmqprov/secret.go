package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/playbooks"
)

func secretCommand(a *app) *cobra.Command {
	var s source
	c := &cobra.Command{
		Use:   "secret [FILE] list | show [STACK/]NAME",
		Short: "List the stacks' secrets, or print one",
		Long: `list names the secrets of all stacks and touches no host. show prints the value of one: what the
inventory gives, or what was generated, read where a running container has it mounted.`,
		Example: `  rmqprov secret prod.hcl list
  rmqprov secret prod.hcl show rabbitmq/admin_password`,
		Args:              secretArguments,
		ValidArgsFunction: a.completeSecret,
		RunE: func(c *cobra.Command, args []string) error {
			s.file, args = secretFile(args)
			if args[0] == "list" {
				return a.listSecrets(s)
			}
			return a.showSecret(c.Context(), s, args[1])
		},
	}
	s.flags(c)
	return c
}

// completeSecret completes the deed, and then the name.
func (a *app) completeSecret(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	file, args := secretFile(args)
	switch {
	case len(args) == 0:
		return []string{"list", "show"}, cobra.ShellCompDirectiveDefault
	case len(args) == 1 && args[0] == "show":
		return a.suggest(c, "SECRET", file), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// secretFile splits the inventory from the deed that follows it. An inventory
// that is called list or show is written ./list.
func secretFile(args []string) (file string, rest []string) {
	if len(args) > 0 && args[0] != "list" && args[0] != "show" {
		return args[0], args[1:]
	}
	return defaultFile, args
}

func secretArguments(_ *cobra.Command, args []string) error {
	_, rest := secretFile(args)
	switch {
	case len(rest) == 1 && rest[0] == "list", len(rest) == 2 && rest[0] == "show":
		return nil
	case len(rest) == 1 && rest[0] == "show":
		return errors.New("show takes the name of a secret; list has the names")
	}
	return errors.New("say list, or show NAME")
}

func (a *app) listSecrets(s source) error {
	want, err := a.load(s)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(a.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprint(t, "SECRET\tVALUE\n")
	for _, stack := range want.Stacks {
		for _, secret := range stack.Secrets {
			origin := "generated once, kept in the swarm"
			if secret.Value != "" {
				origin = "given by the inventory"
			}
			fmt.Fprintf(t, "%s/%s\t%s\n", stack.Name, secret.Name, origin)
		}
	}
	return t.Flush()
}

func (a *app) showSecret(ctx context.Context, s source, name string) error {
	want, err := a.load(s)
	if err != nil {
		return err
	}
	_, secret, err := findSecret(want.Stacks, name)
	if err != nil {
		return err
	}
	value := secret.Value
	if value == "" {
		seen, err := a.observe(ctx, want, 0)
		if err != nil {
			return err
		}
		defer seen.Close()
		stack, secret, err := findSecret(seen.want.Stacks, name)
		if err != nil {
			return err
		}
		if value, err = seen.Secret(ctx, stack, secret.Name); err != nil {
			return errors.Join(err, seen.trouble())
		}
	}
	_, err = fmt.Fprintln(a.Stdout, value)
	return err
}

// findSecret finds STACK/NAME, or NAME where only one stack has such a secret.
func findSecret(stacks []playbooks.Stack, name string) (playbooks.Stack, playbooks.Secret, error) {
	var known, matches []string
	var stack playbooks.Stack
	var secret playbooks.Secret
	for _, s := range stacks {
		for _, x := range s.Secrets {
			full := s.Name + "/" + x.Name
			known = append(known, full)
			if full == name || x.Name == name {
				matches = append(matches, full)
				stack, secret = s, x
			}
		}
	}
	return stack, secret, oneOf("secret", name, matches, known)
}
