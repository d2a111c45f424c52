package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// destroying are the choices of one destroy.
type destroying struct {
	applying
	plan.DestroyOptions
}

func destroyCommand(a *app) *cobra.Command {
	var o destroying
	c := &cobra.Command{
		Use:   "destroy [FILE]",
		Short: "Take away what apply made, last first",
		Long: `Looks, prints what it would take away, asks, and does it: stacks, configs, secrets, networks, labels,
swarm membership and files. What rmqprov did not make stays; where the swarm holds such things, the
swarm stays too. Docker and the data volumes stay unless asked for.

Where a host is known to be down, --allow-unreachable takes away what is on the others. The host keeps
what it has until it is back.

On a terminal it asks for the cluster's name; --yes does not ask. Without a terminal it needs --yes.
Broken off, it can be run again.`,
		Example: `  rmqprov destroy
  rmqprov destroy lab.hcl --volumes --docker --yes`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = optionalFile(args)
			return a.destroy(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().BoolVar(&o.around, "allow-unreachable", false, "leave out hosts that are down, where a majority is left; they keep what they have")
	c.Flags().BoolVar(&o.Docker, "docker", false, "remove Docker too, with all that it holds")
	c.Flags().BoolVar(&o.Volumes, "volumes", false, "delete the cluster's data volumes too")
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&o.json, "json", false, "print one event a line as JSON, and nothing else, to stdout")
	c.Flags().IntVar(&o.parallel, "parallel", 0, "steps at work at once (0: 64)")
	c.Flags().DurationVar(&o.lockWait, "lock-wait", 0, "how long to wait for another run on this cluster, as 10m")
	o.reportFlag(c)
	o.deed.verb = "destroy"
	return c
}

func (a *app) destroy(ctx context.Context, o destroying) error {
	if o.parallel < 0 {
		return fmt.Errorf("--parallel is a number of steps, not %d", o.parallel)
	}
	if err := reportFolder(o.report); err != nil {
		return err
	}
	want, from, err := a.loadFrom(o.source)
	if err != nil {
		return err
	}
	o.from = from
	seen, err := a.observe(ctx, want, o.parallel)
	if err != nil {
		return err
	}
	defer seen.Close()
	p, err := a.approveDestroy(ctx, seen, o)
	if err != nil || p.Empty() {
		return err
	}
	release, err := seen.Lock(ctx, o.lockWait)
	if err != nil {
		return err
	}
	defer release()
	if seen.got, err = seen.Observe(ctx, seen.want); err != nil {
		return err
	}
	fresh, _, err := plan.Destroy(seen.want, seen.got, o.DestroyOptions)
	if err != nil {
		return err
	}
	if !same(p, fresh) {
		fmt.Fprint(a.Stderr, "\nThe cluster has changed since that plan was made.\n\n")
		if fresh, err = a.approveDestroy(ctx, seen, o); err != nil {
			return err
		}
	}
	record := seen.record(o.verb(), o.from)
	defer a.unrecorded(record)
	result := a.carryOut(ctx, record.Apply, fresh, o.json)
	a.report(o.applying, seen, fresh, result)
	if !o.json {
		fmt.Fprintf(a.Stdout, "%s.\n", result.Report)
	}
	return a.destroyed(ctx, result, o)
}

// command is what goes on with this destroy.
func (o destroying) command() string {
	command := "rmqprov destroy " + o.file
	if o.Volumes {
		command += " --volumes"
	}
	if o.Docker {
		command += " --docker"
	}
	if o.around {
		command += " --allow-unreachable"
	}
	return command
}

// approveDestroy shows what would go and what stays, and gets leave.
func (a *app) approveDestroy(ctx context.Context, seen *observed, o destroying) (*plan.Plan, error) {
	p, notes, err := plan.Destroy(seen.want, seen.got, o.DestroyOptions)
	if err != nil {
		return nil, err
	}
	out := a.Stdout
	if o.json {
		out = a.Stderr // stdout is for events
	}
	if p.Empty() {
		fmt.Fprintln(out, "Nothing of this cluster is there to take away.")
	} else if err := p.WriteText(out); err != nil {
		return nil, err
	}
	writeNotes(out, notes)
	if line, _ := lastRun(seen.last(), a.operator(), o.from); !p.Empty() {
		fmt.Fprint(out, line)
	}
	if p.Empty() || o.yes {
		return p, nil
	}
	return p, a.askName(ctx, seen.want.Inventory.Cluster.Name)
}

func writeNotes(w io.Writer, notes []string) {
	for _, n := range notes {
		fmt.Fprintln(w, "Note: "+n+".")
	}
}

// askName gets leave by the cluster's name: a yes is typed too easily.
func (a *app) askName(ctx context.Context, cluster string) error {
	if !a.interactive() {
		return fmt.Errorf("there is no terminal to ask on; nothing was changed\n→ read what would go, then run destroy with --yes")
	}
	fmt.Fprintf(a.Stderr, "\nThis takes the cluster away. Only its name, %s, goes ahead: ", cluster)
	answer, err := readLine(ctx, a.Stdin)
	if err != nil {
		fmt.Fprintln(a.Stderr)
		return err
	}
	if strings.TrimSpace(answer) != cluster {
		return fmt.Errorf("not approved; nothing was changed")
	}
	return nil
}

// destroyed explains what failed, and is the run's exit status.
func (a *app) destroyed(ctx context.Context, r result, o destroying) error {
	if len(r.Failed())+len(r.Skipped()) == 0 && ctx.Err() == nil {
		return nil
	}
	fmt.Fprint(a.Stderr, explainFailure(r, o.command()))
	if r.stopped {
		return exit{status: statusInterrupted}
	}
	return exit{status: statusFailed}
}
