package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// plain prints a line an event.
type plain struct {
	mu        sync.Mutex
	w         io.Writer
	began     time.Time
	summaries map[plan.ID]string
}

// NewPlain returns a view that prints a line an event, with the time since
// began in front.
func NewPlain(w io.Writer, began time.Time) View {
	return &plain{w: w, began: began, summaries: map[plan.ID]string{}}
}

func (p *plain) Event(e provision.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	what := p.summaries[e.Step]
	switch e.Kind {
	case provision.Planned:
		p.summaries[e.Step] = clean(e.Message) // the plan has been printed
	case provision.Started:
		p.line(e, "start", what)
	case provision.Output:
		p.line(e, "  |", clean(e.Message))
	case provision.Retry:
		p.line(e, "again", fmt.Sprintf("%s, because %s", what, clean(e.Message)))
	case provision.Done:
		p.line(e, "done", fmt.Sprintf("%s (%s)", what, seconds(e.Elapsed)))
	case provision.Failed:
		p.line(e, "FAILED", fmt.Sprintf("%s (%s): %s", what, seconds(e.Elapsed), clean(e.Message)))
	case provision.Skipped:
		p.line(e, "skip", fmt.Sprintf("%s: %s", what, clean(e.Message)))
	}
}

func (p *plain) line(e provision.Event, kind, text string) {
	fmt.Fprintf(p.w, "%7s  %-6s  %-10s  %s\n", seconds(e.Time.Sub(p.began)), kind, place(e), text)
}

func (p *plain) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.w, text)
}

func (p *plain) Close() {}
