package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/state"
)

// recovering are the choices of one recover.
type recovering struct {
	applying
	host string // the manager that the swarm is begun anew from
}

func recoverCommand(a *app) *cobra.Command {
	var o recovering
	c := &cobra.Command{
		Use:   "recover [FILE] --from HOST",
		Short: "Bring a swarm back whose managers have lost their majority for good",
		Long: `Begins the swarm anew from one manager that is left, and does what the playbooks say for the members that
are left: Consul goes on with the servers that are there; RabbitMQ forgets the lost members, and quorum queues
go on with the replica that is there. Messages that only the lost hosts had are lost.

It refuses where a majority of the managers is there or a manager that it would give up answers, and where the
swarm has a leader. The lost hosts must not come back with their disks.

It asks for the cluster's name; --yes stands for it, and is needed without a terminal. Broken off, it can be
run again. Then put new hosts into the inventory for the lost ones, and run apply.`,
		Example: `  rmqprov recover prod.hcl --from node-3
  rmqprov recover prod.hcl --from node-3 --yes
  vi prod.hcl && rmqprov apply prod.hcl`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = optionalFile(args)
			return a.recover(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.host, "from", "", "the manager that is left, a `HOST` of the inventory")
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&o.json, "json", false, "print one event a line as JSON, and nothing else, to stdout")
	c.Flags().DurationVar(&o.lockWait, "lock-wait", 0, "how long to wait for another run on this cluster, as 10m")
	_ = c.MarkFlagRequired("from") // there is such a flag
	return c
}

func (a *app) recover(ctx context.Context, o recovering) error {
	o.around = true
	want, from, err := a.loadFrom(o.source)
	if err != nil {
		return err
	}
	o.from = from
	if err := o.check(want.Inventory); err != nil {
		return err
	}
	seen, err := a.observe(ctx, want, 0)
	if err != nil {
		return err
	}
	defer seen.Close()
	p, err := a.confirmRecover(ctx, seen, o)
	if err != nil || p.Empty() {
		return err
	}
	release, err := seen.LockOn(ctx, o.host, o.lockWait)
	if err != nil {
		return err
	}
	defer release()
	if p, err = a.recoverAgain(ctx, seen, p, o); err != nil || p.Empty() {
		return err
	}
	record := seen.record("recover", o.from)
	defer a.unrecorded(record)
	result := a.carryOut(ctx, record.Apply, p, o.json)
	if !o.json {
		fmt.Fprintf(a.Stdout, "%s.\n", result.Report)
	}
	return a.recovered(ctx, result, o.file)
}

// check refuses what can be known wrong without touching a host.
func (o recovering) check(inv *inventory.Inventory) error {
	// Hosts that EC2 is to list are known only when it was asked.
	known := slices.ContainsFunc(inv.Hosts, func(h inventory.Host) bool { return h.Name == o.host })
	if !known && inv.Discover == nil {
		return fmt.Errorf("the inventory has no host %q; nothing was changed", o.host)
	}
	return nil
}

// planRecover looks at the host, whose swarm may tell nothing, and makes the plan.
func (a *app) planRecover(ctx context.Context, seen *observed, host string) (*plan.Plan, []string, error) {
	if _, known := seen.got.Hosts[host]; !known {
		return nil, nil, fmt.Errorf("there is no host %q; nothing was changed", host)
	}
	var survivor state.Known[state.Survivor]
	if seen.hostError(host) == nil {
		survivor = seen.Survey(ctx, host)
	}
	return plan.Recover(seen.want, seen.got, host, survivor)
}

// confirmRecover shows what would be done and what is lost, and gets leave.
func (a *app) confirmRecover(ctx context.Context, seen *observed, o recovering) (*plan.Plan, error) {
	p, notes, err := a.planRecover(ctx, seen, o.host)
	if err != nil {
		return nil, err
	}
	out := a.Stdout
	if o.json {
		out = a.Stderr // stdout is for events
	}
	if err := p.WriteText(out); err != nil {
		return nil, err
	}
	writeNotes(out, notes)
	if p.Empty() || o.yes {
		return p, nil
	}
	return p, a.askRecover(ctx, seen.want.Inventory.Cluster.Name)
}

// askRecover gets leave by the cluster's name.
func (a *app) askRecover(ctx context.Context, cluster string) error {
	if !a.interactive() {
		return fmt.Errorf("there is no terminal to ask on; nothing was changed\n→ read what would be done, then run recover with --yes")
	}
	fmt.Fprintf(a.Stderr, "\nThis gives the lost hosts up, with all that only they had. Only the cluster's name, %s, goes ahead: ", cluster)
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

// recoverAgain looks again under the lock. A plan that has become another one
// needs leave again.
func (a *app) recoverAgain(ctx context.Context, seen *observed, p *plan.Plan, o recovering) (*plan.Plan, error) {
	var err error
	if seen.got, err = seen.Observe(ctx, seen.want); err != nil {
		return nil, err
	}
	fresh, _, err := a.planRecover(ctx, seen, o.host)
	if err != nil || same(p, fresh) {
		return fresh, err
	}
	fmt.Fprint(a.Stderr, "\nThe cluster has changed since that plan was made.\n\n")
	return a.confirmRecover(ctx, seen, o)
}

// recovered says what comes next, and is the run's exit status.
func (a *app) recovered(ctx context.Context, r result, file string) error {
	if len(r.Failed())+len(r.Skipped()) == 0 && ctx.Err() == nil {
		fmt.Fprintf(a.Stderr, "→ put hosts into the inventory for those that are lost, and run `rmqprov apply %s`\n", file)
		return nil
	}
	for _, f := range r.Failed() {
		fmt.Fprintf(a.Stderr, "rmqprov: %s: %v\n", f.Step.ID, f.Err)
	}
	fmt.Fprintln(a.Stderr, "→ run recover again; it does what is left")
	if r.stopped {
		return exit{status: statusInterrupted}
	}
	return exit{status: statusFailed}
}
