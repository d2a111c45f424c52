package progress

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hinshun/vt10x"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/sample"
	"github.com/rmqprov/rmqprov/cmd/rmqprov/screen"
	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// stage is a live view on a terminal that a test looks at, with a clock of its
// own.
type stage struct {
	*live
	emulator vt10x.Terminal
	size     [2]int
	now      time.Time
	events   []provision.Event
}

var began = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func newStage(p *plan.Plan, columns, rows int, broken map[plan.ID]string) *stage {
	s := &stage{emulator: vt10x.New(vt10x.WithSize(columns, rows)), size: [2]int{columns, rows}, now: began, events: sample.Events(p, began, broken)}
	s.live = newLive(Live{
		Terminal: screen.Terminal{Out: s.emulator, Size: func() (int, int, error) { return s.size[0], s.size[1], nil }},
		Plan:     p, Now: func() time.Time { return s.now }, Interrupt: func() {},
	})
	return s
}

// until plays the run up to a moment, and returns what the terminal shows.
func (s *stage) until(at time.Duration) string {
	s.now = began.Add(at)
	for len(s.events) > 0 && !s.events[0].Time.After(s.now) {
		s.live.Event(s.events[0])
		s.events = s.events[1:]
	}
	s.draw()
	return s.text()
}

func (s *stage) resize(columns, rows int) string {
	s.size = [2]int{columns, rows}
	s.emulator.Resize(columns, rows)
	s.draw()
	return s.text()
}

func (s *stage) keys(keys ...screen.Key) string {
	for _, k := range keys {
		s.press(k)
	}
	s.draw()
	return s.text()
}

// text is what the terminal shows, between rules.
func (s *stage) text() string {
	columns, rows := s.emulator.Size()
	var b strings.Builder
	for y := range rows {
		var line strings.Builder
		for x := range columns {
			line.WriteRune(s.emulator.Cell(x, y).Char)
		}
		b.WriteString(strings.TrimRight(line.String(), " \x00") + "\n")
	}
	return b.String()
}

// frames are pictures with what was to be seen in each.
type frames struct{ strings.Builder }

func (f *frames) add(what, text string) { fmt.Fprintf(f, "== %s ==\n%s", what, text) }

func TestThreeHosts(t *testing.T) {
	p := sample.Plan(3)
	s := newStage(p, 80, 24, nil)
	var f frames
	f.add("begin", s.until(0))
	f.add("installing", s.until(6*time.Second))
	f.add("pulling", s.until(19*time.Second))
	f.add("the stacks come up", s.until(35*time.Second))
	f.add("the cursor", s.keys(screen.Down, screen.Down))
	f.add("a host's log", s.keys(screen.Enter))
	f.add("back, at 50 columns and 12 rows", func() string { s.keys("q"); return s.resize(50, 12) }())
	f.add("at 120 columns and 30 rows", s.resize(120, 30))
	f.add("at 12 columns and 3 rows", s.resize(12, 3))
	s.resize(80, 24)
	f.add("done", s.until(5*time.Minute))
	golden(t, "three.txt", f.String())
}

func TestTwoHundredHosts(t *testing.T) {
	p := sample.Plan(200)
	s := newStage(p, 80, 24, map[plan.ID]string{
		"host.node-77.docker":  "node-77: apt-get install: exit status 100\nE: You don't have enough free space in /var/cache/apt/archives/.",
		"host.node-150.docker": "node-150: the connection was lost",
	})
	var f frames
	f.add("installing", s.until(5*time.Second))
	f.add("failed ones first", s.until(15*time.Second))
	f.add("the cursor goes beyond what is in sight", s.keys(screen.PageDown, screen.PageDown))
	f.add("to the end", s.keys(screen.End))
	f.add("at 80 columns and 50 rows", func() string { s.keys(screen.Escape); return s.resize(80, 50) }())
	f.add("in the end", s.until(10*time.Minute))
	golden(t, "twohundred.txt", f.String())
}

// TestTheTranscript is what is left when the picture is gone.
func TestTheTranscript(t *testing.T) {
	p := sample.Plan(3)
	s := newStage(p, 100, 200, map[plan.ID]string{"host.node-2.image.haproxy:3.0": "node-2: pulling haproxy:3.0: no space left\non the device"})
	if _, err := s.emulator.Write([]byte("$ rmqprov apply\r\n")); err != nil {
		t.Fatal(err)
	}
	s.until(6 * time.Second)
	s.live.Note("Interrupted: no new steps begin.")
	s.until(10 * time.Minute)
	var plain strings.Builder
	s.Out = &plain
	s.Close()
	for _, line := range strings.Split(plain.String(), "\n") {
		if strings.Contains(line, "\x1b") && !styled.MatchString(line) {
			t.Errorf("a line of the transcript moves the cursor: %q", line)
		}
	}
	golden(t, "transcript.txt", style.ReplaceAllString(plain.String(), ""))
}

var (
	style  = regexp.MustCompile(`\x1b\[[0-9;]*m`)
	styled = regexp.MustCompile(`^(\x1b\[[0-9;]*m)?[^\x1b]*(\x1b\[0m)?[^\x1b]*$`)
)

// TestLeavingThePicture goes on line by line, and a key has no meaning then.
func TestLeavingThePicture(t *testing.T) {
	p := sample.Plan(3)
	s := newStage(p, 80, 24, nil)
	s.until(15 * time.Second)
	var plain strings.Builder
	s.Out = &plain
	s.keys("q")
	first := strings.Count(plain.String(), "\n")
	if first == 0 || first != len(s.board.transcript) {
		t.Errorf("%d lines are printed at once, and %d steps had ended", first, len(s.board.transcript))
	}
	s.keys(screen.Down, screen.Enter, "q")
	s.until(5 * time.Minute)
	if got := strings.Count(plain.String(), "\n"); got != len(p.Steps) {
		t.Errorf("%d lines in the end, and %d steps", got, len(p.Steps))
	}
	printed := plain.String()
	s.Close()
	if plain.String() != printed {
		t.Errorf("the end printed more: %q", strings.TrimPrefix(plain.String(), printed))
	}
}

// TestPicturesKeepToTheirSize draws every moment of a run at many sizes.
func TestPicturesKeepToTheirSize(t *testing.T) {
	p := sample.Plan(20)
	events := sample.Events(p, began, map[plan.ID]string{"host.node-3.docker": strings.Repeat("a long word of trouble 日本語 ", 20)})
	for _, size := range [][2]int{{80, 24}, {1, 1}, {10, 2}, {20, 5}, {40, 13}, {79, 14}, {200, 60}} {
		b := newBoard(p, began)
		for i, e := range events {
			b.event(e)
			if i%50 != 0 {
				continue
			}
			f := frame{board: b, now: e.Time, columns: size[0], rows: size[1], keyed: true, chosen: b.hosts[i%20]}
			lines, order := f.draw()
			for _, all := range [][]string{lines, f.drawLog(b.hosts[2], 0)} {
				if len(all) > max(size[1], 4) {
					t.Fatalf("%d lines on a terminal of %d", len(all), size[1])
				}
				for _, line := range all {
					if w := screen.Width(style.ReplaceAllString(line, "")); w > size[0] {
						t.Fatalf("%d columns on a terminal of %d: %q", w, size[0], line)
					}
				}
			}
			if len(order) != len(b.hosts)+len(b.others) {
				t.Fatalf("the cursor reaches %d of %d places", len(order), len(b.hosts)+len(b.others))
			}
		}
	}
}
