package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
)

func tunnelCommand(a *app) *cobra.Command {
	var s source
	var host string
	var port int
	c := &cobra.Command{
		Use:   "tunnel [FILE] [STACK/]NAME",
		Short: "Open a console on a local port through SSH",
		Long: `Opens a console of a stack (consul, rabbitmq, haproxy, …) on a port of this machine, through SSH
and a host, and prints its address. It stays open until ^C.`,
		Example: `  rmqprov tunnel rabbitmq
  rmqprov tunnel prod.hcl haproxy --host node-2 --port 8080`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			s.file = optionalFile(args[:len(args)-1])
			return a.tunnel(c.Context(), s, args[len(args)-1], host, port)
		},
	}
	s.flags(c)
	c.Flags().StringVar(&host, "host", "", "the `HOST` to go through (the first)")
	c.Flags().IntVar(&port, "port", 0, "the local port (the console's own if it is free)")
	return c
}

func (a *app) tunnel(ctx context.Context, s source, name, through string, port int) error {
	want, err := a.load(s)
	if err != nil {
		return err
	}
	stack, console, err := findConsole(want.Stacks, name)
	if err != nil {
		return err
	}
	host, err := hostOrFirst(want.Inventory, through)
	if err != nil {
		return err
	}
	program, err := openSSH(host.Name)
	if err != nil {
		return err
	}
	if port == 0 {
		if port, err = freePort(console.Port); err != nil {
			return err
		}
	}
	local := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	fmt.Fprintf(a.Stdout, "http://%s/%s  (%s through %s; ^C closes it)\n", local, strings.TrimPrefix(console.Path, "/"), console.Name, host.Name)
	if text := access(s.file, stack, console); text != "" {
		fmt.Fprintln(a.Stdout, text)
	}
	forward := []string{"-N", "-o", "ExitOnForwardFailure=yes", "-L", local + ":" + net.JoinHostPort("127.0.0.1", strconv.Itoa(console.Port))}
	child := exec.CommandContext(ctx, program, append(forward, sshArguments(want.Inventory.SSH, host)...)...)
	child.Stdin, child.Stderr = a.Stdin, a.Stderr
	if err := child.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("the tunnel to %s on %s ended: %w", console.Name, host.Name, err)
	}
	return ctx.Err()
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

func hostOrFirst(inv *inventory.Inventory, name string) (inventory.Host, error) {
	if name != "" {
		return findHost(inv, name)
	}
	if len(inv.Hosts) == 0 {
		return inventory.Host{}, errors.New("the inventory has no host to go through")
	}
	return inv.Hosts[0], nil
}

// freePort returns the port that is liked best if it is free on this machine,
// else any that is.
func freePort(liked int) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(liked)))
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return 0, fmt.Errorf("looking for a free local port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
