package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/progress"
	"github.com/rmqprov/rmqprov/cmd/rmqprov/report"
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
	rollback bool   // go back from a change that was broken off
	deed     deed   // with one host; zero: everything is made as the inventory says
	report   string // folder for a page about the run; "": none

	from  origin     // of the inventory
	saved *savedPlan // nil where a plan is made on the way
}

func applyCommand(a *app) *cobra.Command {
	var o applying
	c := &cobra.Command{
		Use:   "apply [FILE | PLAN]",
		Short: "Make the cluster as the inventory says",
		Long: `Looks, prints the plan, asks, and does it. A step that fails holds up only what depends on it; run
apply again and it does what is left.

On a terminal it asks before it changes anything; --yes does not. Without a terminal and without
--yes it goes ahead only when the plan restarts or takes away nothing that runs.

PLAN is a file that plan --out wrote. Exactly that plan is carried out, or nothing: apply says what has
changed since. It was seen when it was made, so apply asks only where it restarts or takes away what
runs; then as above. Sensitive variables are not in the file and are given again.

A member that does not come back stops a rolling change: the others are untouched. --rollback then makes the
services of the stacks that do not stand what they were when their gates held last; what it does not need of
the inventory, it leaves alone.

^C lets the steps at work end and begins no more; a second ^C breaks them off.`,
		Example: `  rmqprov apply
  rmqprov apply prod.hcl --yes
  rmqprov apply prod.hcl --yes --json > events.jsonl
  rmqprov apply prod.hcl --rollback
  rmqprov apply prod.hcl --report reports
  rmqprov plan prod.hcl --out prod.plan && rmqprov apply prod.plan`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = optionalFile(args)
			return a.apply(c.Context(), o)
		},
	}
	o.flags(c)
	o.targetFlags(c)
	o.aroundFlag(c)
	o.forceFlag(c)
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&o.json, "json", false, "print one event a line as JSON, and nothing else, to stdout")
	c.Flags().BoolVar(&o.rollback, "rollback", false, "go back from a change that was broken off, to what stood before it")
	o.reportFlag(c)
	c.Flags().IntVar(&o.parallel, "parallel", 0, "steps at work at once (0: 64)")
	c.Flags().DurationVar(&o.lockWait, "lock-wait", 0, "how long to wait for another run on this cluster, as 10m")
	return c
}

func (a *app) apply(ctx context.Context, o applying) error {
	if o.parallel < 0 {
		return fmt.Errorf("--parallel is a number of steps, not %d", o.parallel)
	}
	began := time.Now()
	if err := reportFolder(o.report); err != nil {
		return err
	}
	want, err := a.loadApply(&o)
	if err != nil {
		return err
	}
	if err := a.checkForce(o.force, want.Inventory.Cluster.Name); err != nil {
		return err
	}
	seen, err := a.observe(ctx, want, o.parallel)
	if err != nil {
		return err
	}
	defer seen.Close()
	p, err := a.planApply(seen, o)
	if err != nil {
		return err
	}
	if err := a.confirm(ctx, p, seen, o); err != nil {
		return err
	}
	var does engine = seen.Apply
	if !p.Empty() {
		var release func()
		if p, release, err = a.lock(ctx, seen, p, o); err != nil {
			return err
		}
		defer release()
		record := seen.record(o.verb(), o.from)
		defer a.unrecorded(record)
		does = record.Apply
	}
	result := a.carryOut(ctx, does, p, o.json)
	a.report(o, seen, p, result)
	if !o.json {
		s := summary{want: seen.want, file: o.file, where: seen.whereabouts(ctx), connections: seen.Connections(), result: result, took: time.Since(began)}
		if err := s.write(a.Stdout); err != nil {
			return err
		}
	}
	return a.outcome(ctx, result, o.again())
}

// loadApply loads the inventory, which a saved plan names. Where it is not what
// the plan was made from, that is all there is to say.
func (a *app) loadApply(o *applying) (want plan.Want, err error) {
	if o.saved, err = readPlanFile(o.file); err != nil {
		return plan.Want{}, err
	}
	if o.saved != nil && o.rollback {
		return plan.Want{}, errors.New("a saved plan is carried out as it is: --rollback goes with an inventory")
	}
	if o.saved != nil {
		if o.source, err = o.saved.source(o.source); err != nil {
			return plan.Want{}, err
		}
	}
	if want, o.from, err = a.loadFrom(o.source); err != nil || o.saved == nil {
		return want, err
	}
	moved, err := o.saved.inventoryMoved(o.from)
	return want, cmp.Or(err, o.saved.moved(moved, a.Version))
}

// planApply makes the plan, and holds it against the saved one.
func (a *app) planApply(seen *observed, o applying) (*plan.Plan, error) {
	p, err := o.plan(seen.want, seen.got)
	if err != nil || o.saved == nil {
		return p, err
	}
	moved, err := o.saved.worldMoved(p)
	return p, cmp.Or(err, o.saved.moved(moved, a.Version))
}

// record returns what carries a plan out and keeps the record of it.
func (o *observed) record(verb string, from origin) *provision.Recorder {
	managers := slices.DeleteFunc(o.want.Inventory.Managers(), func(host string) bool { return o.got.Hosts[host].Facts.Err != nil })
	return o.Record(provision.Run{Verb: verb, From: from.path, Inventory: from.fingerprint(), Forced: o.want.ForceQuorumLoss}, managers)
}

// unrecorded says where a run could not be recorded. That fails no run.
func (a *app) unrecorded(r *provision.Recorder) {
	if err := r.Err(); err != nil {
		fmt.Fprintf(a.Stderr, "rmqprov: warning: this run is not in every manager's history: %v\n", err)
	}
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
	fresh, err := a.planApply(seen, o)
	if err != nil || same(p, fresh) {
		return fresh, err
	}
	fmt.Fprint(a.Stderr, "\nThe cluster has changed since that plan was made. The plan is now:\n\n")
	return fresh, a.confirm(ctx, fresh, seen, o)
}

// same says that two plans read the same.
func same(a, b *plan.Plan) bool {
	textA, errA := json.Marshal(a.Document())
	textB, errB := json.Marshal(b.Document())
	return errA == nil && errB == nil && bytes.Equal(textA, textB)
}

// confirm shows the plan and gets leave to carry it out. A saved plan that
// disturbs nothing has it: whoever made it has seen it.
func (a *app) confirm(ctx context.Context, p *plan.Plan, seen *observed, o applying) error {
	if err := a.showPlan(madePlan{p, o.from, seen.last()}, o.json); err != nil {
		return err
	}
	if p.Empty() || o.saved != nil && len(p.Disruptive()) == 0 {
		return nil
	}
	if err := a.askForce(ctx, o.force, seen.want.Inventory.Cluster.Name); err != nil {
		return err
	}
	return a.approve(ctx, p, seen.want.Inventory.Cluster.Name, o.yes)
}

// showPlan shows a plan that may be carried out.
func (a *app) showPlan(p madePlan, asJSON bool) error {
	if !asJSON {
		return a.printPlan(p, false)
	}
	text, err := a.planText(p)
	fmt.Fprint(a.Stderr, text) // stdout is for events
	return err
}

// result is what came of a run.
type result struct {
	provision.Report
	parts   []part
	began   time.Time
	steps   []report.Step // with what became of each
	stopped bool          // an interrupt came
}

// engine carries a plan out, as provision.Session's Apply does.
type engine func(ctx context.Context, p *plan.Plan, stop <-chan struct{}, emit func(provision.Event)) provision.Report

// carryOut applies a plan and shows it. The first interrupt begins no new
// steps, the second ends ctx.
func (a *app) carryOut(ctx context.Context, apply engine, p *plan.Plan, asJSON bool) result {
	if p.Empty() && !asJSON {
		return result{}
	}
	view := a.view(p, asJSON)
	defer view.Close()
	stop := make(chan struct{})
	a.stop.gently(func() {
		close(stop)
		view.Note("Interrupted: no new steps begin, and those at work end. ^C again breaks them off.")
	})
	defer a.stop.gently(nil)
	began := time.Now()
	clock, recorder := newStopwatch(p), report.NewRecorder(p, began)
	outcomes := apply(ctx, p, stop, func(e provision.Event) {
		clock.event(e)
		recorder.Event(e)
		view.Event(e)
	})
	r := result{Report: outcomes, parts: clock.parts(), began: began, steps: recorder.Steps(), stopped: ctx.Err() != nil}
	select {
	case <-stop:
		r.stopped = true
	default:
	}
	return r
}

// view chooses how progress is shown.
func (a *app) view(p *plan.Plan, asJSON bool) progress.View {
	if asJSON {
		return progress.NewJSON(a.Stdout, a.Stderr)
	}
	if t, ok := a.terminal(a.Stderr, a.StderrTerminal); ok {
		return progress.NewTerminal(progress.Live{Terminal: t, Plan: p, Now: time.Now, Interrupt: a.stop.receive})
	}
	return progress.NewPlain(a.Stderr, time.Now())
}

// outcome explains what failed, and is the run's exit status.
func (a *app) outcome(ctx context.Context, r result, again string) error {
	left := len(r.Failed()) + len(r.Skipped())
	if left == 0 && ctx.Err() == nil {
		return nil
	}
	fmt.Fprint(a.Stderr, explainFailure(r, again))
	if r.stopped {
		return exit{status: statusInterrupted}
	}
	return exit{status: statusFailed}
}
