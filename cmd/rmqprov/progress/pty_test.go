package progress

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"golang.org/x/term"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/screen"
	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// played tells this test binary to be the program that a terminal has.
const played = "PROGRESS_TEST_PLAYED"

func TestMain(m *testing.M) {
	if os.Getenv(played) != "" {
		play()
		return
	}
	os.Exit(m.Run())
}

// play is a program with a live view whose run goes on by one event for each
// line that comes through file 3.
func play() {
	before, err := term.GetState(int(os.Stdin.Fd()))
	if err != nil {
		panic(err)
	}
	p := &plan.Plan{}
	for _, host := range []string{"node-1", "node-2"} {
		p.Steps = append(p.Steps, plan.Step{ID: plan.ID("host." + host + ".docker"), Host: host, Summary: "install Docker"})
	}
	p.Steps = append(p.Steps, plan.Step{ID: "stack.db.gate.formed", Summary: "wait for gate formed", After: []plan.ID{p.Steps[0].ID, p.Steps[1].ID}})
	var clock atomic.Int64
	now := func() time.Time { return began.Add(time.Duration(clock.Load()) * time.Second) }
	var v View
	v = NewTerminal(Live{
		Terminal: screen.Terminal{Out: os.Stderr, In: os.Stdin, Size: func() (int, int, error) { return term.GetSize(int(os.Stderr.Fd())) }},
		Plan:     p, Now: now, Interrupt: func() { v.Note("Interrupted: no new steps begin.") },
	})
	events := []provision.Event{
		{Kind: provision.Started, Step: p.Steps[0].ID}, {Kind: provision.Started, Step: p.Steps[1].ID},
		{Kind: provision.Output, Step: p.Steps[0].ID, Message: "unpacking docker.io"},
		{Kind: provision.Done, Step: p.Steps[0].ID, Elapsed: 3 * time.Second},
		{Kind: provision.Failed, Step: p.Steps[1].ID, Elapsed: 3 * time.Second, Message: "exit status 100\nE: no space left"},
		{Kind: provision.Skipped, Step: p.Steps[2].ID, Message: "not done, because host.node-2.docker failed"},
	}
	for control := bufio.NewScanner(os.NewFile(3, "control")); len(events) > 0 && control.Scan(); events = events[1:] {
		clock.Add(1)
		events[0].Time = now()
		v.Event(events[0])
	}
	v.Close()
	if after, err := term.GetState(int(os.Stdin.Fd())); err == nil && reflect.DeepEqual(before, after) {
		fmt.Fprintln(os.Stderr, "the terminal is as it was")
	}
}

// person sits at a terminal in which a program runs.
type person struct {
	t        *testing.T
	terminal *os.File // the other end of what the program has
	control  *os.File
	emulator vt10x.Terminal
	changed  chan struct{}
	gone     chan struct{}
	mu       sync.Mutex
	raw      strings.Builder
}

func sitDown(t *testing.T, columns, rows int) *person {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), played+"=1", "TERM=xterm-256color")
	c.ExtraFiles = []*os.File{r}
	p := &person{t: t, control: w, emulator: vt10x.New(vt10x.WithSize(columns, rows)), changed: make(chan struct{}, 1), gone: make(chan struct{})}
	if _, err := io.WriteString(p.emulator, "$ rmqprov apply\r\n"); err != nil {
		t.Fatal(err)
	}
	if p.terminal, err = pty.StartWithSize(c, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)}); err != nil {
		t.Fatal(err)
	}
	r.Close()
	go p.watch()
	t.Cleanup(func() {
		w.Close()
		_ = c.Wait() // it ends when its control does
		p.terminal.Close()
	})
	return p
}

// watch shows on the emulator what the program writes, until it ends.
func (p *person) watch() {
	defer close(p.gone)
	buffer, whole := make([]byte, 4096), ""
	for {
		n, err := p.terminal.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.raw.Write(buffer[:n])
		p.mu.Unlock()
		whole += string(buffer[:n])
		if strings.LastIndex(whole, "\x1b[?2026h") > strings.LastIndex(whole, "\x1b[?2026l") {
			continue // a picture is shown when all of it is there
		}
		if _, err := io.WriteString(p.emulator, whole); err != nil {
			return
		}
		whole = ""
		select {
		case p.changed <- struct{}{}:
		default:
		}
	}
}

func (p *person) seen() string {
	p.emulator.Lock()
	defer p.emulator.Unlock()
	columns, rows := p.emulator.Size()
	var b strings.Builder
	for y := range rows {
		var line strings.Builder
		for x := range columns {
			line.WriteRune(p.emulator.Cell(x, y).Char)
		}
		b.WriteString(strings.TrimRight(line.String(), " \x00") + "\n")
	}
	return b.String()
}

// await waits until the terminal shows a text, and returns all that it shows.
func (p *person) await(text string) string {
	p.t.Helper()
	late := time.After(time.Minute)
	for {
		if seen := p.seen(); strings.Contains(seen, text) {
			return seen
		}
		select {
		case <-p.changed:
		case <-late:
			p.t.Fatalf("the terminal never shows %q, but:\n%s", text, p.seen())
		}
	}
}

func (p *person) presses(keys string) {
	p.t.Helper()
	if _, err := io.WriteString(p.terminal, keys); err != nil {
		p.t.Fatal(err)
	}
}

// events lets the run go on.
func (p *person) events(n int) {
	p.t.Helper()
	if _, err := io.WriteString(p.control, strings.Repeat("\n", n)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) resizes(columns, rows int) {
	p.t.Helper()
	p.emulator.Resize(columns, rows)
	if err := pty.Setsize(p.terminal, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)}); err != nil {
		p.t.Fatal(err)
	}
}

// TestAtATerminal is a whole run with a real terminal: keys, a change of size,
// an interrupt, and what is left in the end.
func TestAtATerminal(t *testing.T) {
	p := sitDown(t, 80, 24)
	var f frames
	f.add("begin", p.await("0 of 3 steps"))
	p.events(3)
	f.add("at work", p.await("unpacking"))
	p.presses("\x1b[B")
	f.add("the cursor", p.await("▸⠋ node-1"))
	p.presses("\r")
	f.add("a log", p.await("enter or q back"))
	p.presses("q")
	p.await("leave this picture")
	p.resizes(60, 16)
	f.add("smaller", p.await("leave this picture, the run go…"))
	p.resizes(80, 24)
	p.await("the run goes on   ^C stop")
	p.presses("\x03")
	f.add("an interrupt", p.await("Interrupted: no new steps begin."))
	p.events(3)
	<-p.gone
	f.add("in the end", p.await("the terminal is as it was"))
	golden(t, "terminal.txt", f.String())
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := strings.Count(p.raw.String(), "\x1b[2J"); n != 4 { // when it is opened, for the first picture, and at each change of size
		t.Errorf("the whole terminal was erased %d times", n)
	}
	for _, question := range []string{"\x1b[c", "\x1b[6n", "$p", "\x1b]11;?"} {
		if strings.Contains(p.raw.String(), question) {
			t.Errorf("the terminal is asked %q, and may answer when nobody reads", question)
		}
	}
}
