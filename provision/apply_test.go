package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// world is a runner that notes what was done, in order, and fails where told.
type world struct {
	mu    sync.Mutex
	order []plan.ID
	fail  map[plan.ID]error
	lost  error // of the lock, when a step has failed
}

func (w *world) allow(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.order) > 0 {
		return w.lost
	}
	return nil
}

func (w *world) run(_ context.Context, s plan.Step, _ func(string)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.order = append(w.order, s.ID)
	return w.fail[s.ID]
}

func walk(ctx context.Context, w *world, stop <-chan struct{}, steps ...plan.Step) Report {
	walker := &walker{run: w.run, emit: func(Event) {}, stop: stop, allowed: w.allow, slots: make(chan struct{}, 2)}
	return walker.walk(ctx, &plan.Plan{Steps: steps})
}

func outcomes(r Report) map[plan.ID]string {
	out := map[plan.ID]string{}
	for _, o := range r.Outcomes {
		text := string(o.Kind)
		if o.Because != "" {
			text += " because of " + string(o.Because)
		}
		out[o.Step.ID] = text
	}
	return out
}

func diamond() []plan.Step {
	return []plan.Step{
		{ID: "a"}, {ID: "b", After: []plan.ID{"a"}}, {ID: "c", After: []plan.ID{"a"}},
		{ID: "d", After: []plan.ID{"b", "c"}}, {ID: "lone"},
	}
}

func TestAFailureSkipsItsDependantsAndLeavesItsNeighboursAlone(t *testing.T) {
	w := &world{fail: map[plan.ID]error{"b": errors.New("no")}}
	want := map[plan.ID]string{"a": "done", "b": "failed", "c": "done", "d": "skipped because of b", "lone": "done"}
	if diff := cmp.Diff(want, outcomes(walk(t.Context(), w, nil, diamond()...))); diff != "" {
		t.Error(diff)
	}
}

func TestADependantNamesTheFirstFailure(t *testing.T) {
	w := &world{fail: map[plan.ID]error{"a": errors.New("no")}}
	got := outcomes(walk(t.Context(), w, nil, diamond()...))
	if got["d"] != "skipped because of a" {
		t.Errorf("d is %q", got["d"])
	}
}

// A walker that closes a step's channel before its outcome is written lets a
// dependant of a failed step begin, in about one run of a thousand.
func TestNoStepBeginsBeforeWhatItWaitsForIsDone(t *testing.T) {
	for range 20_000 {
		w := &world{fail: map[plan.ID]error{"b": errors.New("no")}}
		walk(t.Context(), w, nil, diamond()...)
		at := map[plan.ID]int{}
		for i, id := range w.order {
			at[id] = i + 1
		}
		if at["d"] != 0 || at["b"] < at["a"] || at["c"] < at["a"] {
			t.Fatalf("order %v", w.order)
		}
	}
}

func TestAStopBeginsNoNewSteps(t *testing.T) {
	stop := make(chan struct{})
	close(stop)
	w := &world{}
	for id, kind := range outcomes(walk(t.Context(), w, stop, diamond()...)) {
		if kind != "skipped" {
			t.Errorf("%s is %s", id, kind)
		}
	}
	if len(w.order) != 0 {
		t.Errorf("ran %v", w.order)
	}
}

func TestALostLockBeginsNoNewSteps(t *testing.T) {
	lost := errors.New("another run has taken the lock")
	w := &world{lost: lost}
	for _, o := range walk(t.Context(), w, nil, plan.Step{ID: "a"}, plan.Step{ID: "b", After: []plan.ID{"a"}}, plan.Step{ID: "c", After: []plan.ID{"b"}}).Outcomes {
		if want := map[plan.ID]EventKind{"a": Done, "b": Skipped, "c": Skipped}[o.Step.ID]; o.Kind != want || o.Kind == Skipped && o.Err != lost {
			t.Errorf("%s is %s, because %v", o.Step.ID, o.Kind, o.Err)
		}
	}
}

func TestAStepIsDoneAgainWhileItsDockerRestarts(t *testing.T) {
	stopped := errors.New("Cannot connect to the Docker daemon at http://docker.invalid. Is the docker daemon running?")
	tests := map[string]struct {
		fails time.Duration // the step, for so long
		err   error
		want  EventKind
		tries int
	}{
		"it is back":    {20 * time.Second, unavailable{stopped}, Done, 7},
		"it stays away": {time.Hour, unavailable{stopped}, Failed, 16},
		"another error": {time.Hour, errors.New("no such image"), Failed, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, tries := time.Now(), 0
				run := func(context.Context, plan.Step, func(string)) error {
					tries++
					if time.Since(began) < tt.fails {
						return tt.err
					}
					return nil
				}
				w := &walker{run: run, emit: func(Event) {}, allowed: (*lock)(nil).await, slots: make(chan struct{}, 1)}
				o := w.walk(context.Background(), &plan.Plan{Steps: []plan.Step{{ID: "a"}}}).Outcomes[0]
				if o.Kind != tt.want || tries != tt.tries {
					t.Errorf("%s after %d tries and %s: %v", o.Kind, tries, time.Since(began), o.Err)
				}
			})
		})
	}
}

// unavailable is what Docker's API answers with status 503.
type unavailable struct{ error }

func (unavailable) Unavailable() {}

func TestABrokenOffStepSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	run := func(ctx context.Context, _ plan.Step, _ func(string)) error {
		ctx, end := context.WithTimeout(ctx, time.Hour)
		defer end()
		cancel()
		<-ctx.Done()
		return fmt.Errorf("did not hold %s", unmet(ctx, time.Hour))
	}
	w := &walker{run: run, emit: func(Event) {}, allowed: (*lock)(nil).await, slots: make(chan struct{}, 1)}
	err := w.walk(ctx, &plan.Plan{Steps: []plan.Step{{ID: "a"}}}).Outcomes[0].Err
	if want := "interrupted: did not hold before the run was interrupted"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSlotsBoundTheStepsAtWork(t *testing.T) {
	var mu sync.Mutex
	now, most := 0, 0
	run := func(context.Context, plan.Step, func(string)) error {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(time.Millisecond) // so that steps overlap if they may
		mu.Lock()
		now--
		mu.Unlock()
		return nil
	}
	var steps []plan.Step
	for i := range 50 {
		steps = append(steps, plan.Step{ID: plan.ID(fmt.Sprint(i))})
	}
	walker := &walker{run: run, emit: func(Event) {}, allowed: (*lock)(nil).await, slots: make(chan struct{}, 3)}
	walker.walk(t.Context(), &plan.Plan{Steps: steps})
	if most != 3 {
		t.Errorf("%d steps at once, want 3", most)
	}
}

// A defect in a step is its failure, and no more.
func TestAPanicFailsItsStep(t *testing.T) {
	run := func(_ context.Context, s plan.Step, _ func(string)) error {
		if s.ID == "b" {
			panic("no such thing")
		}
		return nil
	}
	w := &walker{run: run, emit: func(Event) {}, allowed: (*lock)(nil).await, slots: make(chan struct{}, 2)}
	report := w.walk(t.Context(), &plan.Plan{Steps: diamond()})
	want := map[plan.ID]string{"a": "done", "b": "failed", "c": "done", "d": "skipped because of b", "lone": "done"}
	if diff := cmp.Diff(want, outcomes(report)); diff != "" {
		t.Error(diff)
	}
	if err := report.Failed()[0].Err; !strings.Contains(err.Error(), "defect of rmqprov in step b: no such thing") {
		t.Error(err)
	}
}
