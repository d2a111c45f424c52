package provision

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// world is a runner that notes what was done, in order, and fails where told.
type world struct {
	mu    sync.Mutex
	order []plan.ID
	fail  map[plan.ID]error
}

func (w *world) run(_ context.Context, s plan.Step, _ func(string)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.order = append(w.order, s.ID)
	return w.fail[s.ID]
}

func walk(ctx context.Context, w *world, stop <-chan struct{}, steps ...plan.Step) Report {
	walker := &walker{run: w.run, emit: func(Event) {}, stop: stop, slots: make(chan struct{}, 2)}
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
	walker := &walker{run: run, emit: func(Event) {}, slots: make(chan struct{}, 3)}
	walker.walk(t.Context(), &plan.Plan{Steps: steps})
	if most != 3 {
		t.Errorf("%d steps at once, want 3", most)
	}
}
