package progress

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/screen"
	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// board is what is known of a run: every step by its place.
type board struct {
	began      time.Time
	steps      map[plan.ID]*step
	hosts      []*spot
	others     []*spot // stacks, and the swarm as a whole
	ended      int     // steps done, failed or skipped
	note       string  // the last word of the program itself
	transcript []string
	width      int // of the longest name of a place, in columns
}

// step is one step of the plan, and what is known of it.
type step struct {
	id      plan.ID
	spot    *spot
	summary string
	after   []*step
	state   provision.EventKind // Planned until it is begun
	began   time.Time
	took    time.Duration
	detail  string
	said    []string // the last lines from the host
}

// spot is a place where steps happen.
type spot struct {
	name  string
	steps []*step // in the order of the plan
	log   []string
}

const (
	maxPlace = 20   // columns for the name of a place
	saidKept = 5    // lines that are kept of what a step says
	logKept  = 2000 // lines that are kept of a place's log
)

func newBoard(p *plan.Plan, began time.Time) *board {
	b := &board{began: began, steps: map[plan.ID]*step{}}
	spots := map[string]*spot{}
	for _, s := range p.Steps {
		name := place(provision.Event{Step: s.ID, Host: s.Host})
		here := spots[name]
		if here == nil {
			here = &spot{name: name}
			spots[name] = here
			b.width = min(max(b.width, screen.Width(name)), maxPlace)
			if s.Host != "" {
				b.hosts = append(b.hosts, here)
			} else {
				b.others = append(b.others, here)
			}
		}
		x := &step{id: s.ID, spot: here, summary: clean(s.Summary), state: provision.Planned}
		for _, id := range s.After {
			if before := b.steps[id]; before != nil {
				x.after = append(x.after, before)
			}
		}
		here.steps, b.steps[s.ID] = append(here.steps, x), x
	}
	return b
}

// event takes in what happened.
func (b *board) event(e provision.Event) {
	s := b.steps[e.Step]
	if s == nil || e.Kind == provision.Planned {
		return
	}
	text := clean(e.Message)
	switch e.Kind {
	case provision.Started:
		s.state, s.began = e.Kind, e.Time
		b.log(s, e, "start", s.summary)
	case provision.Output:
		s.detail = text
		s.said = tail(append(s.said, text), saidKept)
		b.log(s, e, "  |", text)
	case provision.Retry:
		s.detail = "trying again: " + text
		b.log(s, e, "again", s.summary+", because "+text)
	case provision.Done, provision.Failed, provision.Skipped:
		s.state, s.took = e.Kind, e.Elapsed
		b.ended++
		b.end(s, e)
	}
}

// end puts a step that has ended into the log and the transcript. What was
// skipped is told in the summary, once for each cause and not once for each
// step.
func (b *board) end(s *step, e provision.Event) {
	what := fmt.Sprintf("%s (%s)", s.summary, seconds(e.Elapsed))
	name := screen.Pad(s.spot.name, b.width)
	switch e.Kind {
	case provision.Done:
		b.log(s, e, "done", what)
		b.transcript = append(b.transcript, fmt.Sprintf("%s %s  %s", screen.Paint(screen.Green, "✓"), name, what))
	case provision.Failed:
		b.log(s, e, "FAILED", what)
		for line := range strings.Lines(e.Message) {
			b.log(s, e, "  !", clean(line))
		}
		b.transcript = append(b.transcript, fmt.Sprintf("%s %s  %s: %s", screen.Paint("1;31", "✗"), name, what, clean(e.Message)))
		for _, line := range s.said {
			b.transcript = append(b.transcript, "  "+strings.Repeat(" ", b.width)+"  │ "+line)
		}
		s.said = tail(slices.Concat(s.said, strings.Split(strings.TrimSpace(e.Message), "\n")), saidKept)
	case provision.Skipped:
		s.detail = clean(e.Message)
		b.log(s, e, "skip", s.summary+": "+s.detail)
	}
}

func (b *board) log(s *step, e provision.Event, kind, text string) {
	line := fmt.Sprintf("%7s  %-6s  %s", seconds(e.Time.Sub(b.began)), kind, text)
	s.spot.log = tail(append(s.spot.log, line), logKept)
}

func tail(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

// standing is how a place fares. What a reader must see first stands first.
type standing int

const (
	failing standing = iota
	busy
	waiting
	left // it has steps that will not be done
	finished
)

// stands tells how a place fares, the step to be shown for it, and how many
// more are at work there.
func (p *spot) stands() (how standing, shown *step, more int) {
	how = finished
	for _, s := range p.steps {
		now := finished
		switch s.state {
		case provision.Failed:
			now = failing
		case provision.Started:
			now = busy
			more++
		case provision.Planned:
			now = waiting
		case provision.Skipped:
			now = left
		}
		if now < how || shown == nil || now == busy && how == busy && s.began.Before(shown.began) {
			how, shown = now, s
		}
	}
	if how == busy {
		more--
	}
	return how, shown, more
}

// holdup is what a step that is not begun waits for: a step at work, or one
// that waits itself, through all that stands before it; nil: for its turn.
func (s *step) holdup() *step {
	var open *step
	for _, before := range s.after {
		switch before.state {
		case provision.Started:
			return before
		case provision.Planned:
			if open == nil {
				open = before
			}
		}
	}
	if open == nil {
		return nil
	}
	if further := open.holdup(); further != nil {
		return further
	}
	return open
}
