package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/progress"
	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// applying are the choices of one apply.
type applying struct {
	source
	yes      bool
	json     bool
	parallel int
	lockWait time.Duration
}

func applyCommand(a *app) *cobra.Command {
	var o applying
	c := &cobra.Command{
		Use:   "apply [FILE]",
		Short: "Make the cluster as the inventory says",
		Long: `Looks, prints the plan, asks, and does it. A step that fails holds up only what depends on it; run
apply again and it does what is left.

On a terminal it asks before it changes anything; --yes does not. Without a terminal and without
--yes it goes ahead only when the plan restarts or takes away nothing that runs.

^C lets the steps at work end and begins no more; a second ^C breaks them off.`,
		Example: `  rmqprov apply
  rmqprov apply prod.hcl --yes
  rmqprov apply prod.hcl --yes --json > events.jsonl`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = optionalFile(args)
			return a.apply(c.Context(), o)
		},
	}
	o.flags(c)
	o.targetFlags(c)
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&o.json, "json", false, "print one event a line as JSON, and nothing else, to stdout")
	c.Flags().IntVar(&o.parallel, "parallel", 0, "steps at work at once (0: 64)")
	c.Flags().DurationVar(&o.lockWait, "lock-wait", 0, "how long to wait for another run on this cluster, as 10m")
	return c
}

func (a *app) apply(ctx context.Context, o applying) error {
	if o.parallel < 0 {
		return fmt.Errorf("--parallel is a number of steps, not %d", o.parallel)
	}
	began := time.Now()
	want, err := a.load(o.source)
	if err != nil {
		return err
	}
	seen, err := a.observe(ctx, want, o.parallel)
	if err != nil {
		return err
	}
	defer seen.Close()
	p, err := o.plan(seen.want, seen.got)
	if err != nil {
		return err
	}
	if err := a.confirm(ctx, p, want.Inventory.Cluster.Name, o); err != nil {
		return err
	}
	if !p.Empty() {
		var release func()
		if p, release, err = a.lock(ctx, seen, p, o); err != nil {
			return err
		}
		defer release()
	}
	result := a.carryOut(ctx, seen.Apply, p, o.json)
	if !o.json {
		s := summary{want: want, file: o.file, connections: seen.Connections(), result: result, took: time.Since(began)}
		if err := s.write(a.Stdout); err != nil {
			return err
		}
	}
	return a.outcome(ctx, result, o.file)
}

// lock makes this run the only one on the cluster, and looks again: what was
// seen before may be what another run was about to change, or long ago. A plan
// that has become another one is shown, and needs leave again.
func (a *app) lock(ctx context.Context, seen *observed, p *plan.Plan, o applying) (*plan.Plan, func(), error) {
	release, err := seen.Lock(ctx, o.lockWait)
	if err != nil {
		return nil, nil, err
	}
	fresh, err := a.planAgain(ctx, seen, p, o)
	if err != nil {
		release()
		return nil, nil, err
	}
	return fresh, release, nil
}

func (a *app) planAgain(ctx context.Context, seen *observed, p *plan.Plan, o applying) (*plan.Plan, error) {
	var err error
	if seen.got, err = seen.Observe(ctx, seen.want); err != nil {
		return nil, err
	}
	fresh, err := o.plan(seen.want, seen.got)
	if err != nil || same(p, fresh) {
		return fresh, err
	}
	fmt.Fprint(a.Stderr, "\nThe cluster has changed since that plan was made. The plan is now:\n\n")
	return fresh, a.confirm(ctx, fresh, seen.want.Inventory.Cluster.Name, o)
}

// same says that two plans read the same.
func same(a, b *plan.Plan) bool {
	var textA, textB bytes.Buffer
	return a.WriteJSON(&textA) == nil && b.WriteJSON(&textB) == nil && bytes.Equal(textA.Bytes(), textB.Bytes())
}

// confirm shows the plan and gets leave to carry it out.
func (a *app) confirm(ctx context.Context, p *plan.Plan, cluster string, o applying) error {
	show := func() error { return a.printPlan(p, false) }
	if o.json {
		show = func() error { return p.WriteText(a.Stderr) } // stdout is for events
	}
	if err := show(); err != nil {
		return err
	}
	if p.Empty() {
		return nil
	}
	return a.approve(ctx, p, cluster, o.yes)
}

// result is what came of a run.
type result struct {
	provision.Report
	parts   []part
	stopped bool // an interrupt came
}

// engine carries a plan out, as provision.Session's Apply does.
type engine func(ctx context.Context, p *plan.Plan, stop <-chan struct{}, emit func(provision.Event)) provision.Report

// carryOut applies a plan and shows it. The first interrupt begins no new
// steps, the second ends ctx.
func (a *app) carryOut(ctx context.Context, apply engine, p *plan.Plan, asJSON bool) result {
	if p.Empty() && !asJSON {
		return result{}
	}
	view := a.view(asJSON)
	defer view.Close()
	stop := make(chan struct{})
	a.stop.gently(func() {
		close(stop)
		view.Note("Interrupted: no new steps begin, and those at work end. ^C again breaks them off.")
	})
	defer a.stop.gently(nil)
	clock := newStopwatch(p)
	report := apply(ctx, p, stop, func(e provision.Event) {
		clock.event(e)
		view.Event(e)
	})
	r := result{Report: report, parts: clock.parts(), stopped: ctx.Err() != nil}
	select {
	case <-stop:
		r.stopped = true
	default:
	}
	return r
}

// view chooses how progress is shown.
func (a *app) view(asJSON bool) progress.View {
	switch {
	case asJSON:
		return progress.NewJSON(a.Stdout, a.Stderr)
	case a.colour(a.StderrTerminal, a.noColour):
		return progress.NewTerminal(a.Stderr, a.Size, time.Now)
	}
	return progress.NewPlain(a.Stderr, time.Now())
}

// outcome explains what failed, and is the run's exit status.
func (a *app) outcome(ctx context.Context, r result, file string) error {
	left := len(r.Failed()) + len(r.Skipped())
	if left == 0 && ctx.Err() == nil {
		return nil
	}
	fmt.Fprint(a.Stderr, explainFailure(r, file))
	if r.stopped {
		return exit{status: statusInterrupted}
	}
	return exit{status: statusFailed}
}
