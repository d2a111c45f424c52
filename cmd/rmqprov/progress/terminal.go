package progress

import (
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/screen"
	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// redrawEvery is the time between two pictures, however many events come: a
// thousand hosts cost no more than three.
const redrawEvery = 100 * time.Millisecond

// Live is what a live view is made of.
type Live struct {
	screen.Terminal
	Plan      *plan.Plan
	Now       func() time.Time
	Interrupt func() // what ^C means, where keys are read
}

// live draws the run on the terminal's alternate screen. In the end, or when
// its reader has seen enough, it leaves a transcript: a line for each step that
// ended.
type live struct {
	Live
	screen *screen.Screen

	mu      sync.Mutex
	board   *board
	order   []*spot // as the last picture has them
	chosen  *spot   // by the cursor
	log     *spot   // whose log is shown; nil: the picture of all
	back    int     // lines from the end of the log
	printed int     // lines of the transcript that were printed
	over    bool    // there is no picture any more

	quit chan struct{}
	idle sync.WaitGroup
}

// NewTerminal returns a live view.
func NewTerminal(l Live) View {
	v := newLive(l)
	v.idle.Go(v.loop)
	return v
}

func newLive(l Live) *live {
	return &live{Live: l, screen: screen.Open(l.Terminal), board: newBoard(l.Plan, l.Now()), quit: make(chan struct{})}
}

func (v *live) loop() {
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	v.draw()
	for {
		select {
		case <-tick.C:
			v.draw()
		case k := <-v.screen.Keys():
			v.press(k)
			v.draw()
		case <-v.quit:
			return
		}
	}
}

func (v *live) draw() {
	v.screen.Draw(func(columns, rows int) []string {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.over {
			return nil
		}
		f := frame{board: v.board, now: v.Now(), columns: columns, rows: rows, chosen: v.chosen, keyed: v.screen.Keyed()}
		if v.log != nil {
			return f.drawLog(v.log, v.back)
		}
		var lines []string
		lines, v.order = f.draw()
		return lines
	})
}

// press does what a key says.
func (v *live) press(k screen.Key) {
	if k == screen.Interrupt {
		v.Interrupt() // it may put a note here
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.over:
	case v.log != nil:
		v.pressInLog(k)
	case k == "q":
		v.end()
	case k == screen.Enter && v.chosen != nil:
		v.log, v.back = v.chosen, 0
	case k == screen.Escape:
		v.chosen = nil
	default:
		v.move(k)
	}
}

// move moves the cursor over the places as they stand in the picture.
func (v *live) move(k screen.Key) {
	if len(v.order) == 0 {
		return
	}
	at, last := slices.Index(v.order, v.chosen), len(v.order)-1
	steps := map[screen.Key]int{screen.Up: -1, screen.Down: 1, screen.PageUp: -10, screen.PageDown: 10, screen.Home: -last - 1, screen.End: last + 1}
	if by, moves := steps[k]; moves {
		v.chosen = v.order[min(last, max(0, at+by))]
	}
}

func (v *live) pressInLog(k screen.Key) {
	_, rows := v.screen.Size()
	page := max(1, rows-4)
	by := map[screen.Key]int{screen.Up: 1, screen.Down: -1, screen.PageUp: page, screen.PageDown: -page, screen.Home: len(v.log.log), screen.End: -len(v.log.log)}
	switch k {
	case screen.Enter, screen.Escape, "q":
		v.log = nil
		return
	}
	v.back = min(max(0, v.back+by[k]), max(0, len(v.log.log)-(rows-3)))
}

// end gives the terminal back and prints the transcript so far. From then on
// each further line is printed as it comes.
func (v *live) end() {
	if v.over {
		return
	}
	v.over = true
	v.screen.Close()
	v.print()
}

func (v *live) print() {
	fresh := v.board.transcript[v.printed:]
	v.printed = len(v.board.transcript)
	if len(fresh) > 0 {
		_, _ = io.WriteString(v.Out, strings.Join(fresh, "\n")+"\n") // a terminal that went away must not stop the work
	}
}

func (v *live) Event(e provision.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.board.event(e)
	if v.over {
		v.print()
	}
}

// Note shows a line at once, and puts it into the transcript.
func (v *live) Note(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.board.note = text
	v.board.transcript = append(v.board.transcript, screen.Paint("1;33", text))
	if v.over {
		v.print()
	}
}

// Close leaves the transcript alone on the screen.
func (v *live) Close() {
	close(v.quit)
	v.idle.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.end()
}
