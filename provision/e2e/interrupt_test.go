//go:build lab && chaos

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// statusInterrupted is what the command line's contract has for a run that was
// interrupted.
const statusInterrupted = 130

// An interrupt lets the steps at work end; a second one breaks them off. The
// next run finishes the work.
func (s *stops) testInterrupts(t *testing.T) {
	s.breakOff(t, "apply", s.lab.Inventory(), "output", "host.node-2.docker")
	s.interrupt(t, "apply", s.lab.Inventory(), "started", "host.node-3.image.")
	s.interrupt(t, "apply", s.lab.Inventory(), "started", "stack.rabbitmq.gate.started.rabbitmq-01")
	s.breakOff(t, "apply", s.lab.Inventory(), "started", "stack.rabbitmq.gate.started.rabbitmq-02")
	s.finish(t, "apply", s.lab.Inventory())
	sameShape(t, "apply", s.applied, checkShape(t, s.lab, s.lab.Inventory()))

	s.interrupt(t, "apply", s.changed, "started", "stack.rabbitmq.before-stop.drain.rabbitmq-01")
	s.finish(t, "apply", s.lab.Inventory()) // the change is taken back, with one member drained for it
	sameShape(t, "change that was taken back", s.applied, checkShape(t, s.lab, s.lab.Inventory()))

	s.interrupt(t, "apply", s.changed, "done", "stack.rabbitmq.before-stop.drain.rabbitmq-01")
	s.breakOff(t, "apply", s.changed, "started", "stack.rabbitmq.service.rabbitmq-02")
	s.finish(t, "apply", s.changed)
	checkWatermark(t, s.lab, "0.5")
	sameShape(t, "rolling change", s.rolled, checkShape(t, s.lab, s.changed))

	s.interrupt(t, "destroy", s.lab.Inventory(), "started", "service.rabbitmq_rabbitmq-01", "--volumes")
	s.breakOff(t, "destroy", s.lab.Inventory(), "started", "host.node-2.swarm", "--volumes")
	s.finish(t, "destroy", s.lab.Inventory(), "--volumes")
	checkGone(t, s.lab)
}

// await starts a run and reads its events up to the first one of a kind of a
// step whose id begins so.
func (s *stops) await(t *testing.T, verb, file, kind, step string, flags ...string) *lab.Run {
	t.Helper()
	r := start(t, s.lab, verb, file, flags...)
	for {
		e, more, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			status, err := r.End()
			t.Fatalf("%s never came to %s of %s: status %d, %v\n%s%s", verb, kind, step, status, err, r.Failures(), r.Stderr())
		}
		if e.Kind == kind && strings.HasPrefix(e.Step, step) {
			return r
		}
	}
}

func (s *stops) finish(t *testing.T, verb, file string, flags ...string) {
	t.Helper()
	undisturbed := &killer{lab: s.lab, spare: true}
	undisturbed.chain(t, "after interrupts", verb, file, flags...)
}

// heedWithin is how long a run may take to heed a signal.
const heedWithin = 5 * time.Second

// interrupt interrupts a run once.
func (s *stops) interrupt(t *testing.T, verb, file, kind, step string, flags ...string) {
	t.Helper()
	r := s.await(t, verb, file, kind, step, flags...)
	signalled := signal(t, r)
	s.interrupted(t, r, verb)
	ends := map[string]string{}
	for _, e := range r.Seen() {
		switch e.Kind {
		case "started":
			if e.Time.After(signalled.Add(heedWithin)) {
				t.Errorf("%s: %s began %s after the interrupt", verb, e.Step, e.Time.Sub(signalled))
			}
		case "failed":
			t.Errorf("%s: %s was at work and failed: %s", verb, e.Step, e.Message)
		case "done", "skipped":
			ends[e.Kind] += e.Step + " "
		}
	}
	done, skipped := len(strings.Fields(ends["done"])), len(strings.Fields(ends["skipped"]))
	if skipped == 0 {
		t.Errorf("%s did all its %d steps", verb, done)
	}
	s.summed(t, r, done, skipped)
}

// summed checks what the operator reads: what is done and what is not.
func (s *stops) summed(t *testing.T, r *lab.Run, done, skipped int) {
	t.Helper()
	for _, want := range []string{
		"Interrupted: no new steps begin",
		fmt.Sprintf("of %d.", done+skipped),
		"Not begun, because the run was stopped",
		"goes on from here",
	} {
		if !strings.Contains(r.Stderr(), want) {
			t.Errorf("the summary has no %q:\n%s", want, r.Stderr())
		}
	}
}

// brokenOffWithin is how long a run may take to end that was interrupted twice.
const brokenOffWithin = time.Minute

// breakOff interrupts a run twice.
func (s *stops) breakOff(t *testing.T, verb, file, kind, step string, flags ...string) {
	t.Helper()
	r := s.await(t, verb, file, kind, step, flags...)
	signal(t, r)
	time.Sleep(500 * time.Millisecond) // two of the same signal at once may come as one
	signalled := signal(t, r)
	s.interrupted(t, r, verb)
	if took := time.Since(signalled); took > brokenOffWithin {
		t.Errorf("%s took %s to break off", verb, took)
	}
}

func signal(t *testing.T, r *lab.Run) time.Time {
	t.Helper()
	if err := r.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	return time.Now()
}

// interrupted waits for the end of a run that was interrupted.
func (s *stops) interrupted(t *testing.T, r *lab.Run, verb string) {
	t.Helper()
	began := time.Now()
	status, err := r.End()
	if err != nil {
		t.Fatal(err)
	}
	if status != statusInterrupted {
		t.Errorf("%s, interrupted: exit status %d, want %d\n%s%s", verb, status, statusInterrupted, r.Failures(), r.Stderr())
	}
	t.Logf("%s ended %s after its interrupt", verb, time.Since(began).Round(time.Second/10))
}
