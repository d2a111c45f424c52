package provision

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/remote"
)

// Outcome is how a step ended.
type Outcome struct {
	Step    plan.Step
	Kind    EventKind // Done, Failed or Skipped
	Err     error     // of a failed step
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
			return Outcome{Step: s, Kind: Skipped, Because: rootOf(before.outcome)}
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
	return w.attempt(ctx, s)
}

// rootOf names the step that failed first, not the last of those skipped
// because of it.
func rootOf(o Outcome) plan.ID {
	if o.Kind == Skipped {
		return o.Because
	}
	return o.Step.ID
}

// attempts bounds how often a step is done again after a lost connection.
// Steps are idempotent, so doing one twice is safe.
const attempts = 4

func (w *walker) attempt(ctx context.Context, s plan.Step) Outcome {
	began := time.Now()
	w.emit(Event{Time: began, Kind: Started, Step: s.ID, Host: s.Host, Message: s.Summary})
	say := func(line string) {
		w.emit(Event{Time: time.Now(), Kind: Output, Step: s.ID, Host: s.Host, Elapsed: time.Since(began), Message: line})
	}
	for try := 1; ; try++ {
		err := w.run(ctx, s, say)
		if err == nil {
			return Outcome{Step: s, Kind: Done, Took: time.Since(began)}
		}
		if try == attempts || ctx.Err() != nil || !remote.IsTransient(err) {
			return Outcome{Step: s, Kind: Failed, Err: err, Took: time.Since(began)}
		}
		w.emit(Event{Time: time.Now(), Kind: Retry, Step: s.ID, Host: s.Host, Elapsed: time.Since(began), Message: err.Error()})
		if pause(ctx, time.Duration(try)*time.Second) != nil {
			return Outcome{Step: s, Kind: Failed, Err: errors.Join(err, ctx.Err()), Took: time.Since(began)}
		}
	}
}

func (w *walker) tell(o Outcome) {
	e := Event{Time: time.Now(), Kind: o.Kind, Step: o.Step.ID, Host: o.Step.Host, Elapsed: o.Took}
	switch {
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
