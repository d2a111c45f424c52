package provision

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// Outcome is how a step ended.
type Outcome struct {
	Step    plan.Step
	Kind    EventKind // Done, Failed or Skipped
	Err     error     // of a failed step; of a skipped one, what stopped the run, unless that was an interrupt
	Because plan.ID   // of a skipped step: the step that kept it from being done; "" when the run was stopped
	Took    time.Duration
}

// Report has the outcome of every step of a plan, in the plan's order.
type Report struct {
	Outcomes []Outcome
	Took     time.Duration
}

// Failed returns the outcomes of steps that failed.
func (r Report) Failed() []Outcome { return r.of(Failed) }

// Skipped returns the outcomes of steps that were not begun.
func (r Report) Skipped() []Outcome { return r.of(Skipped) }

func (r Report) of(kind EventKind) []Outcome {
	var out []Outcome
	for _, o := range r.Outcomes {
		if o.Kind == kind {
			out = append(out, o)
		}
	}
	return out
}

// runner does one step. Session has the real one; the walker's tests have others.
type runner func(ctx context.Context, s plan.Step, say func(string)) error

// walker carries a plan out: a step starts when all that it waits for is done
// and never later. One failure skips what depends on it and nothing else.
type walker struct {
	run   runner
	emit  func(Event)
	stop  <-chan struct{} // closed: begin no new steps
	slots chan struct{}   // bounds the steps at work; taken only once a step's dependencies are met

	allowed func(context.Context) error // waits until a step may begin; its error says why none will any more
}

type node struct {
	step    plan.Step
	done    chan struct{}
	outcome Outcome // written before done is closed
}

func (w *walker) walk(ctx context.Context, p *plan.Plan) Report {
	began := time.Now()
	nodes := make(map[plan.ID]*node, len(p.Steps))
	for _, s := range p.Steps {
		nodes[s.ID] = &node{step: s, done: make(chan struct{})}
		w.emit(Event{Time: time.Now(), Kind: Planned, Step: s.ID, Host: s.Host, Message: s.Summary})
	}
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() {
			defer close(n.done)
			n.outcome = w.do(ctx, n.step, nodes)
			w.tell(n.outcome)
		})
	}
	all.Wait()
	report := Report{Took: time.Since(began)}
	for _, s := range p.Steps {
		report.Outcomes = append(report.Outcomes, nodes[s.ID].outcome)
	}
	return report
}

func (w *walker) do(ctx context.Context, s plan.Step, nodes map[plan.ID]*node) Outcome {
	for _, id := range s.After {
		before := nodes[id]
		<-before.done
		if before.outcome.Kind != Done {
			return skippedBecause(s, before.outcome)
		}
	}
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	case <-ctx.Done():
		return Outcome{Step: s, Kind: Skipped}
	}
	select {
	case <-w.stop:
		return Outcome{Step: s, Kind: Skipped}
	case <-ctx.Done():
		return Outcome{Step: s, Kind: Skipped}
	default:
	}
	if err := w.allowed(ctx); err != nil {
		return Outcome{Step: s, Kind: Skipped, Err: err}
	}
	return w.attempt(ctx, s)
}

// skippedBecause is the outcome of a step that waits for one that was not done.
// It names what failed first, not the last of those skipped because of it.
func skippedBecause(s plan.Step, before Outcome) Outcome {
	if before.Kind == Skipped {
		return Outcome{Step: s, Kind: Skipped, Because: before.Because, Err: before.Err}
	}
	return Outcome{Step: s, Kind: Skipped, Because: before.Step.ID}
}

// againWithin bounds how long after its first failure a step is still done again
// where that may pass: a Docker that restarts, a connection that was lost. Steps
// are idempotent, so doing one twice is safe.
const againWithin = time.Minute

// once does a step. A panic in it is that step's failure: the other steps end as
// they would, the run is recorded, and the terminal is given back.
func (w *walker) once(ctx context.Context, s plan.Step, say func(string)) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("defect of rmqprov in step %s: %v\n%s", s.ID, r, debug.Stack())
		}
	}()
	return w.run(ctx, s, say)
}

func (w *walker) attempt(ctx context.Context, s plan.Step) Outcome {
	began := time.Now()
	var until time.Time
	w.emit(Event{Time: began, Kind: Started, Step: s.ID, Host: s.Host, Message: s.Summary})
	say := func(line string) {
		w.emit(Event{Time: time.Now(), Kind: Output, Step: s.ID, Host: s.Host, Elapsed: time.Since(began), Message: line})
	}
	for try := 1; ; try++ {
		err := w.once(ctx, s, say)
		if err == nil {
			return Outcome{Step: s, Kind: Done, Took: time.Since(began)}
		}
		if until.IsZero() {
			until = time.Now().Add(againWithin)
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("interrupted: %w", err)
		}
		if ctx.Err() != nil || time.Now().After(until) || !mayPass(err) {
			return Outcome{Step: s, Kind: Failed, Err: err, Took: time.Since(began)}
		}
		w.emit(Event{Time: time.Now(), Kind: Retry, Step: s.ID, Host: s.Host, Elapsed: time.Since(began), Message: err.Error()})
		if pause(ctx, time.Duration(min(try, 5))*time.Second) != nil {
			return Outcome{Step: s, Kind: Failed, Err: fmt.Errorf("interrupted: %w", err), Took: time.Since(began)}
		}
	}
}

func (w *walker) tell(o Outcome) {
	e := Event{Time: time.Now(), Kind: o.Kind, Step: o.Step.ID, Host: o.Step.Host, Elapsed: o.Took}
	switch {
	case o.Kind == Skipped && o.Err != nil:
		e.Message = "not begun, because " + o.Err.Error()
	case o.Err != nil:
		e.Message = o.Err.Error()
	case o.Kind == Skipped && o.Because != "":
		e.Message = fmt.Sprintf("not done, because %s failed", o.Because)
	case o.Kind == Skipped:
		e.Message = "not begun, because the run was stopped"
	}
	w.emit(e)
}

// pause waits, or returns early with the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unmet words how long something was waited for in vain: as long as it may take,
// or until the run was interrupted.
func unmet(ctx context.Context, within time.Duration) string {
	if ctx.Err() == context.Canceled {
		return "before the run was interrupted"
	}
	return fmt.Sprintf("within %s", within)
}
