package progress

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// lines prints a JSON object an event.
type lines struct {
	mu    sync.Mutex
	out   *json.Encoder
	notes io.Writer
}

// line is the form that programs rely on.
type line struct {
	Time    time.Time           `json:"time"` // RFC 3339
	Event   provision.EventKind `json:"event"`
	Step    plan.ID             `json:"step"`
	Host    string              `json:"host"`
	Elapsed int64               `json:"elapsed_ms"`
	Message string              `json:"message"`
}

// NewJSON returns a view for programs: a line an event on w. What is not an
// event goes to notes.
func NewJSON(w, notes io.Writer) View {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return &lines{out: out, notes: notes}
}

func (l *lines) Event(e provision.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A reader that went away must not stop the work half-way.
	_ = l.out.Encode(line{e.Time, e.Kind, e.Step, e.Host, e.Elapsed.Milliseconds(), e.Message})
}

func (l *lines) Note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.notes, text+"\n")
}

func (l *lines) Close() {}
