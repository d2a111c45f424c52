package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&o.json, "json", false, "print one event a line as JSON, and nothing else, to stdout")
	c.Flags().IntVar(&o.parallel, "parallel", 0, "steps at work at once (0: 64)")
	return c
}

func (a *app) apply(ctx context.Context, o applying) (err error) {
	began := time.Now()
	want, err := a.load(o.source)
	if err != nil {
		return err
	}
	seen, err := a.observe(ctx, want, o.parallel)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, seen.Close()) }()
	p, err := plan.Make(seen.want, seen.got)
	if err != nil {
		return err
	}
	if err := a.confirm(ctx, p, want.Inventory.Cluster.Name, o); err != nil {
		return err
	}
	result := a.carryOut(ctx, seen, p, o)
	if !o.json {
		s := summary{want: want, file: o.file, connections: seen.Connections(), result: result, took: time.Since(began)}
		if err := s.write(a.Stdout); err != nil {
			return err
		}
	}
	return a.outcome(ctx, result, o.file)
}

// confirm shows the plan and gets leave to carry it out.
func (a *app) confirm(ctx context.Context, p *plan.Plan, cluster string, o applying) error {
	if !o.json {
		if err := a.printPlan(p, false); err != nil {
			return err
		}
	} else if decide(o.yes, a.interactive(), p.Disruptive()) == asked && !p.Empty() {
		if err := p.WriteText(a.Stderr); err != nil { // whoever is asked must see it
			return err
		}
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

// carryOut applies a plan and shows it.
func (a *app) carryOut(ctx context.Context, seen *observed, p *plan.Plan, o applying) result {
	if p.Empty() && !o.json {
		return result{}
	}
	view := a.view(p, o.json)
	defer view.Close()
	stop := make(chan struct{})
	var once sync.Once
	a.stop.gently(func() {
		once.Do(func() { close(stop) })
		view.Note("Interrupted: no new steps begin, and those at work end. ^C again breaks them off.")
	})
	defer a.stop.gently(nil)
	clock := newStopwatch(p)
	report := seen.Apply(ctx, p, stop, func(e provision.Event) {
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
func (a *app) view(_ *plan.Plan, asJSON bool) progress.View {
	if asJSON {
		return progress.NewJSON(a.Stdout, a.Stderr)
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
