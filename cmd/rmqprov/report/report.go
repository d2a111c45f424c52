// Package report writes one HTML page about a run: the timeline of its steps,
// the plan, the outcome and the versions. The page is one file that needs no
// network, and says no more than the plan and the events do: what is sensitive
// reads as in these.
package report

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// Run is what the page tells of.
type Run struct {
	Cluster     string
	Verb        string // "apply" or "replace"
	From        string // the inventory's path
	By          string // who ran it, as user@host
	Version     string // of rmqprov
	Began       time.Time
	Took        time.Duration
	Interrupted bool
	Steps       []Step // in the plan's order
	LeftOut     []plan.LeftOut
	Hosts       []Host
	Stacks      []Stack
}

// Host is a host as it was found before the run.
type Host struct{ Name, Address, System, Docker string }

// Stack is a stack with its images.
type Stack struct {
	Name   string
	Images []string
}

// Step is a step of the plan and what became of it.
type Step struct {
	plan.DocumentStep
	Kind    provision.EventKind // Done, Failed, Skipped, or Started where it never ended
	Began   time.Duration       // since the run began; of a step that was not begun, 0
	Ended   time.Duration
	Retries int
	Message string   // of a step that failed or was skipped
	Said    []string // the last lines that the host said
}

// Ran says that the step was begun.
func (s Step) Ran() bool { return s.Kind != provision.Skipped }

// Took is how long the step was at work.
func (s Step) Took() time.Duration { return s.Ended - s.Began }

// Place names where a step happens: a host, a stack or the swarm.
func (s Step) Place() string {
	if s.Host != "" {
		return s.Host
	}
	if rest, ok := strings.CutPrefix(string(s.ID), "stack."); ok {
		name, _, _ := strings.Cut(rest, ".")
		return "stack " + name
	}
	return "the swarm"
}

// keptLines bounds what is kept of a step's output.
const keptLines = 15

// Recorder notes what becomes of each step. Event may be called from several
// goroutines at once.
type Recorder struct {
	mu    sync.Mutex
	began time.Time
	steps []Step
	index map[plan.ID]int
}

// NewRecorder returns a recorder for a plan whose first step begins after now.
func NewRecorder(p *plan.Plan, now time.Time) *Recorder {
	r := &Recorder{began: now, index: map[plan.ID]int{}}
	for i, s := range p.Document().Steps {
		r.steps = append(r.steps, Step{DocumentStep: s, Kind: provision.Skipped, Message: "not begun"})
		r.steps[i].Action = p.Steps[i].Kind // a check is no update here
		r.index[s.ID] = i
	}
	return r
}

// Event notes one event.
func (r *Recorder) Event(e provision.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, known := r.index[e.Step]
	if !known {
		return
	}
	s, at := &r.steps[i], e.Time.Sub(r.began)
	switch e.Kind {
	case provision.Started:
		s.Kind, s.Began, s.Ended, s.Message = e.Kind, at, at, ""
	case provision.Output:
		s.Said = append(s.Said, e.Message)
		s.Said = s.Said[max(0, len(s.Said)-keptLines):]
	case provision.Retry:
		s.Retries++
	case provision.Done, provision.Failed:
		s.Kind, s.Ended, s.Message = e.Kind, at, e.Message
	case provision.Skipped:
		s.Message = e.Message
	}
}

// Steps returns the steps with what has become of them.
func (r *Recorder) Steps() []Step {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.steps)
}
