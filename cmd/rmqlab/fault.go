package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/hosts"
)

// fault is a verb that does something to one host.
type fault struct {
	use, short string
	args       int    // beyond the host
	done       string // what is to be said of the host afterwards
	do         func(ctx context.Context, l *hosts.Lab, h hosts.Host, args []string) error
}

var faults = []fault{
	{"kill HOST", "Cut a host's power", 0, "has lost its power", plain((*hosts.Lab).Kill)},
	{"start HOST", "Power on a host that was killed", 0, "is powered on", powerOn},
	{"freeze HOST", "Stop every process of a host", 0, "is frozen", plain((*hosts.Lab).Freeze)},
	{"thaw HOST", "Let a frozen host go on", 0, "goes on", plain((*hosts.Lab).Thaw)},
	{"cut HOST", "Take a host's network away", 0, "has no network", plain((*hosts.Lab).Cut)},
	{"heal HOST", "Give a cut host its network back", 0, "has its network back", plain((*hosts.Lab).Heal)},
	{"throttle HOST CORES", "Give a host at most that share of a core (0.05), or 0 to lift the limit", 1, "is limited to this many cores (0: all)", throttle},
	{"block HOST PORT[/PROTO]", "Drop traffic to a port of a host, and from the host to that port", 1, "drops traffic to port", port((*hosts.Lab).Block)},
	{"unblock HOST PORT[/PROTO]", "Undo block", 1, "lets through again traffic to port", port((*hosts.Lab).Unblock)},
}

func faultCommands(t *target) []*cobra.Command {
	var commands []*cobra.Command
	for _, f := range faults {
		commands = append(commands, &cobra.Command{
			Use:   f.use,
			Short: f.short,
			Args:  cobra.ExactArgs(1 + f.args),
			RunE:  func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), *t, args) },
		})
	}
	return commands
}

func (f fault) run(ctx context.Context, t target, args []string) error {
	lab, err := t.open(ctx)
	if err != nil {
		return err
	}
	host, err := lab.Host(ctx, args[0])
	if err != nil {
		return err
	}
	if err := f.do(ctx, lab, host, args[1:]); err != nil {
		return err
	}
	lab.Engine.Say("host %s (%s) %s", host.Name, host.Address, strings.Join(append([]string{f.done}, args[1:]...), ": "))
	return nil
}

func plain(do func(*hosts.Lab, context.Context, hosts.Host) error) func(context.Context, *hosts.Lab, hosts.Host, []string) error {
	return func(ctx context.Context, l *hosts.Lab, h hosts.Host, _ []string) error { return do(l, ctx, h) }
}

func port(do func(*hosts.Lab, context.Context, hosts.Host, string) error) func(context.Context, *hosts.Lab, hosts.Host, []string) error {
	return func(ctx context.Context, l *hosts.Lab, h hosts.Host, args []string) error {
		return do(l, ctx, h, args[0])
	}
}

// powerOn does not wait for the host to boot: what a test wants to see may happen before.
func powerOn(ctx context.Context, l *hosts.Lab, h hosts.Host, _ []string) error {
	return l.PowerOn(ctx, h)
}

func throttle(ctx context.Context, l *hosts.Lab, h hosts.Host, args []string) error {
	cores, err := strconv.ParseFloat(args[0], 64)
	if err != nil || cores < 0 {
		return fmt.Errorf("%q is not a number of cores: write 0.05 for a twentieth of one, 0 to lift the limit", args[0])
	}
	return l.Throttle(ctx, h, cores)
}
