package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/playbooks"
)

func tunnelCommand(a *app) *cobra.Command {
	var s source
	var port int
	c := &cobra.Command{
		Use:   "tunnel [FILE] [STACK/]NAME",
		Short: "Open a console on a local port through SSH",
		Long: `Opens a console of a stack (consul, rabbitmq, haproxy, …) on a port of this machine, through SSH,
and prints its address. It stays open until ^C. Connections go to the first host that takes them, so
it goes on when the service moves. No port of the hosts but SSH's need be open.`,
		Example: `  rmqprov tunnel rabbitmq
  rmqprov tunnel prod.hcl haproxy --port 8080`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			s.file = optionalFile(args[:len(args)-1])
			return a.tunnel(c.Context(), s, args[len(args)-1], port)
		},
	}
	s.flags(c)
	c.Flags().IntVar(&port, "port", 0, "the local port (the console's own if it is free)")
	return c
}

func (a *app) tunnel(ctx context.Context, s source, name string, port int) (err error) {
	want, err := a.load(s)
	if err != nil {
		return err
	}
	stack, console, err := findConsole(want.Stacks, name)
	if err != nil {
		return err
	}
	session, err := a.open(ctx, want, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	local, err := listen(port, console.Port)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Stdout, "http://%s/%s  (^C closes it)\n", local.Addr(), strings.TrimPrefix(console.Path, "/"))
	if text := access(s.file, stack, console); text != "" {
		fmt.Fprintln(a.Stdout, text)
	}
	if err := session.Tunnel(ctx, local, console.Port, func(err error) { fmt.Fprintln(a.Stderr, err) }); err != nil {
		return err
	}
	return ctx.Err()
}

// listen opens the local port that is asked for; or the one that is liked
// best, if it is free on this machine, else any that is.
func listen(asked, liked int) (net.Listener, error) {
	if asked != 0 {
		return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(asked)))
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(liked)))
	if err != nil {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	return l, nil
}

// findConsole finds STACK/NAME, or NAME where only one stack has such a
// console.
func findConsole(stacks []playbooks.Stack, name string) (playbooks.Stack, playbooks.Console, error) {
	var known, matches []string
	var stack playbooks.Stack
	var console playbooks.Console
	for _, s := range stacks {
		for _, c := range s.Consoles {
			full := s.Name + "/" + c.Name
			known = append(known, full)
			if full == name || c.Name == name {
				matches = append(matches, full)
				stack, console = s, c
			}
		}
	}
	return stack, console, oneOf("console", name, matches, known)
}

// oneOf explains a name that does not mean exactly one of the known things.
func oneOf(kind, name string, matches, known []string) error {
	switch {
	case len(matches) == 1:
		return nil
	case len(matches) > 1:
		return fmt.Errorf("several stacks have a %s %s\n→ say which: %s", kind, name, strings.Join(matches, ", "))
	case len(known) == 0:
		return fmt.Errorf("the stacks of this inventory have no %ss", kind)
	}
	return fmt.Errorf("there is no %s %s\n→ these are there: %s", kind, name, strings.Join(known, ", "))
}
