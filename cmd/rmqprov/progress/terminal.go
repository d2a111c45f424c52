package progress

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

const (
	redrawEvery = 100 * time.Millisecond
	// The size where the terminal does not tell its own.
	defaultColumns, defaultRows = 80, 24
	maxPlace                    = 20 // columns for the name of a place
)

// terminal keeps one line a place (a host, a stack) at the bottom of the
// screen and redraws them in place; steps that are done move up into the
// transcript and stay.
type terminal struct {
	size func() (columns, rows int, err error)
	now  func() time.Time

	mu       sync.Mutex
	w        io.Writer
	began    time.Time
	steps    map[plan.ID]*step
	places   []string // in the order of the plan
	finished []string // lines for the transcript, not yet written
	width    int      // of the longest of them, in columns
	planned  int
	ended    int // done, failed or skipped
	drawn    int // lines of the live part that stand on the screen

	quit chan struct{}
	idle sync.WaitGroup
}

// step is one that has been planned, and what is known of it.
type step struct {
	id      plan.ID
	place   string
	summary string
	began   time.Time // zero: not at work
	detail  string
}

// NewTerminal returns a live view. size tells the terminal's columns and rows.
func NewTerminal(w io.Writer, size func() (columns, rows int, err error), now func() time.Time) View {
	t := newTerminal(w, size, now)
	t.idle.Go(t.loop)
	return t
}

func newTerminal(w io.Writer, size func() (columns, rows int, err error), now func() time.Time) *terminal {
	return &terminal{w: w, size: size, now: now, began: now(), steps: map[plan.ID]*step{}, quit: make(chan struct{})}
}

// loop redraws a few times a second however many events come, so that a
// thousand hosts cost no more than three.
func (t *terminal) loop() {
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.draw()
		case <-t.quit:
			return
		}
	}
}

func (t *terminal) Event(e provision.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Kind == provision.Planned {
		t.plan(e)
		return
	}
	s := t.steps[e.Step]
	if s == nil {
		return
	}
	switch e.Kind {
	case provision.Started:
		s.began = e.Time
	case provision.Output:
		s.detail = clean(e.Message)
	case provision.Retry:
		s.detail = "trying again: " + clean(e.Message)
	case provision.Done, provision.Failed, provision.Skipped:
		t.end(s, e)
	}
}

func (t *terminal) plan(e provision.Event) {
	s := &step{id: e.Step, place: place(e), summary: clean(e.Message)}
	t.steps[e.Step] = s
	t.planned++
	if !slices.Contains(t.places, s.place) {
		t.places = append(t.places, s.place)
		t.width = min(max(t.width, len(s.place)), maxPlace)
	}
}

// end moves a step into the transcript. What was skipped is told in the
// summary, once for each cause and not once for each step.
func (t *terminal) end(s *step, e provision.Event) {
	t.ended++
	delete(t.steps, s.id)
	switch e.Kind {
	case provision.Done:
		t.finished = append(t.finished, fmt.Sprintf("%s %-*s  %s (%s)", paint("32", "✓"), t.width, s.place, s.summary, seconds(e.Elapsed)))
	case provision.Failed:
		t.finished = append(t.finished, fmt.Sprintf("%s %-*s  %s (%s): %s", paint("1;31", "✗"), t.width, s.place, s.summary, seconds(e.Elapsed), clean(e.Message)))
	}
}

func paint(code, text string) string { return "\x1b[" + code + "m" + text + "\x1b[0m" }

// draw writes the new part of the transcript and the live part in one go.
func (t *terminal) draw() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.redraw(t.live())
}

// redraw replaces the live part. Each line ends by erasing what is left of
// the old one: nothing is blank in between, so nothing flickers.
func (t *terminal) redraw(live []string) {
	var b strings.Builder
	if t.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", t.drawn)
	}
	for _, line := range t.finished {
		b.WriteString(line + "\x1b[K\n")
	}
	b.WriteString("\x1b[?7l") // a line that is wider than was thought must not take two
	for _, line := range live {
		b.WriteString(line + "\x1b[K\n")
	}
	b.WriteString("\x1b[?7h\x1b[J")
	t.finished, t.drawn = nil, len(live)
	_, _ = io.WriteString(t.w, b.String()) // a terminal that went away must not stop the work
}

// live makes the lines below the transcript: what is at work, place by place,
// no more than the terminal has room for, and a count.
func (t *terminal) live() []string {
	columns, rows, err := t.size()
	if err != nil || columns <= 0 || rows <= 0 {
		columns, rows = defaultColumns, defaultRows
	}
	busy := t.busy()
	room := max(1, rows-3)
	var lines []string
	for i, s := range busy {
		if i == room-1 && len(busy) > room {
			lines = append(lines, fmt.Sprintf("  … and %d more at work", len(busy)-i))
			break
		}
		lines = append(lines, t.row(s, columns))
	}
	last := fmt.Sprintf("  %d of %d steps, %s", t.ended, t.planned, seconds(t.now().Sub(t.began)))
	return append(lines, cut(last, columns-1))
}

// busy lists the steps at work: for each place the one that began first, in
// the order of the plan.
func (t *terminal) busy() []*step {
	first := map[string]*step{}
	for _, s := range t.steps {
		if s.began.IsZero() {
			continue
		}
		if other := first[s.place]; other == nil || cmp.Or(s.began.Compare(other.began), cmp.Compare(s.id, other.id)) < 0 {
			first[s.place] = s
		}
	}
	var all []*step
	for _, p := range t.places {
		if first[p] != nil {
			all = append(all, first[p])
		}
	}
	return all
}

// row is a place's line: what it is at, and for how long.
func (t *terminal) row(s *step, columns int) string {
	took := seconds(t.now().Sub(s.began))
	room := max(10, columns-len(took)-t.width-6)
	text := cut(s.summary, room)
	if s.detail != "" {
		text = cut(cut(s.summary, room/2)+" · "+s.detail, room)
	}
	return fmt.Sprintf("  %-*s  %-*s %s", t.width, cut(s.place, t.width), room, text, took)
}

// cut shortens a text to a number of columns, an ellipsis included.
func cut(text string, columns int) string {
	runes := []rune(text)
	if len(runes) <= columns {
		return text
	}
	return string(runes[:max(0, columns-1)]) + "…"
}

// Note puts a line into the transcript at once.
func (t *terminal) Note(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.finished = append(t.finished, paint("1;33", text))
	t.redraw(t.live())
}

// Close leaves the transcript alone on the screen.
func (t *terminal) Close() {
	close(t.quit)
	t.idle.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.redraw(nil)
}
