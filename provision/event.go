package provision

import (
	"time"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// EventKind says what happened.
type EventKind string

// The kinds of event, in the order of a step's life.
const (
	Planned EventKind = "planned"
	Started EventKind = "started"
	Output  EventKind = "output" // a line that the host or a container said
	Retry   EventKind = "retry"  // the connection was lost; the step is done again
	Done    EventKind = "done"
	Failed  EventKind = "failed"
	Skipped EventKind = "skipped" // not done, because of another step
	Summary EventKind = "summary"
)

// Event is one thing that happened during Apply. The engine tells events and
// never prints.
type Event struct {
	Time    time.Time
	Kind    EventKind
	Step    plan.ID
	Host    string
	Elapsed time.Duration // since the step started, or the run for a summary
	Message string
}
