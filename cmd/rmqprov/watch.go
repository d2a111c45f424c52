package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/screen"
	"github.com/rmqprov/rmqprov/provision"
)

// watching shows one look after the other on a terminal.
type watching struct {
	screen    *screen.Screen
	out       io.Writer
	now       func() time.Time
	interrupt func()
	leave     func() // ends what looks

	mu     sync.Mutex
	text   string // of the last look
	looked time.Time
	from   int  // the line at the top
	left   bool // by q

	quit chan struct{}
	idle sync.WaitGroup
}

func newWatching(t screen.Terminal, now func() time.Time, interrupt, leave func()) *watching {
	return &watching{screen: screen.Open(t), out: t.Out, now: now, interrupt: interrupt, leave: leave, quit: make(chan struct{})}
}

// watch looks again and again until its reader leaves or interrupts it. Exit 0
// only when all was healthy at the last look.
func (a *app) watch(ctx context.Context, seen *observed, t screen.Terminal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := newWatching(t, time.Now, a.stop.receive, cancel)
	w.idle.Go(w.loop)
	last, err := a.lookAgain(ctx, seen, w.show)
	w.close()
	if w.left && last != nil {
		return unlessHealthy(*last)
	}
	return err
}

// lookAgain shows looks until the context ends, and returns the last one.
func (a *app) lookAgain(ctx context.Context, seen *observed, show func(provision.Status) error) (last *provision.Status, err error) {
	for {
		st := seen.Status(ctx, seen.want, seen.got)
		if ctx.Err() != nil {
			return last, ctx.Err()
		}
		last = &st
		if err := show(st); err != nil {
			return last, err
		}
		select {
		case <-time.After(watchPause):
		case <-ctx.Done():
			return last, ctx.Err()
		}
		if seen.got, err = seen.Observe(ctx, seen.want); err != nil {
			return last, err
		}
	}
}

func (w *watching) show(st provision.Status) error {
	var text bytes.Buffer
	err := writeStatus(&text, st)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text, w.looked = text.String(), w.now()
	return err
}

// loop redraws, so that a change of the terminal's size and the age of the look
// are seen.
func (w *watching) loop() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		w.screen.Draw(w.draw)
		select {
		case <-tick.C:
		case k := <-w.screen.Keys():
			w.press(k)
		case <-w.quit:
			return
		}
	}
}

func (w *watching) press(k screen.Key) {
	if k == screen.Interrupt {
		w.interrupt()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, rows := w.screen.Size()
	lines, room := strings.Count(w.text, "\n"), max(1, rows-2)
	by := map[screen.Key]int{screen.Up: -1, screen.Down: 1, screen.PageUp: -room, screen.PageDown: room, screen.Home: -lines, screen.End: lines}
	w.from = max(0, min(w.from+by[k], lines-room))
	if k == "q" {
		w.left = true
		w.leave()
	}
}

func (w *watching) draw(columns, rows int) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := strings.Split(strings.TrimRight(w.text, "\n"), "\n")
	room := max(1, rows-2)
	w.from = max(0, min(w.from, len(lines)-room))
	to := min(len(lines), w.from+room)
	var out []string
	for _, text := range lines[w.from:to] {
		out = append(out, screen.NewLine(columns).Add(statusStyle(text), text).String())
	}
	for len(out) < rows-1 {
		out = append(out, "")
	}
	foot := screen.NewLine(columns)
	if hidden := len(lines) - (to - w.from); hidden > 0 {
		foot.Add(screen.Dim, fmt.Sprintf(" %d to %d of %d lines ", w.from+1, to, len(lines)))
	}
	if w.screen.Keyed() {
		foot.Add(screen.Dim, " ↑ ↓ scroll   q leave")
	}
	if w.text != "" {
		foot.Right(screen.Dim, fmt.Sprintf("looked %s ago ", w.now().Sub(w.looked).Truncate(time.Second)))
	} else {
		foot.Right(screen.Dim, "looking … ")
	}
	return append(out[:max(0, rows-1)], foot.String())
}

// statusStyle is the style of a line of a status.
func statusStyle(line string) string {
	switch {
	case line == "Healthy.":
		return "1;32"
	case strings.HasPrefix(line, "NOT healthy"):
		return "1;31"
	case strings.HasPrefix(line, "HOST "), strings.HasPrefix(line, "STACK "):
		return screen.Bold
	case strings.Contains(line, "  FAILS  "):
		return screen.Red
	case strings.HasPrefix(line, "Drifted"):
		return screen.Yellow
	}
	return screen.Plain
}

// close leaves the last look on the screen.
func (w *watching) close() {
	close(w.quit)
	w.idle.Wait()
	w.screen.Close()
	_, _ = io.WriteString(w.out, w.text) // a terminal that went away has no reader
}
