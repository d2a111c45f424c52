package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hinshun/vt10x"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/screen"
	"github.com/rmqprov/rmqprov/provision"
)

// shows is what a terminal shows.
func shows(t vt10x.Terminal) string {
	columns, rows := t.Size()
	var b strings.Builder
	for y := range rows {
		var line strings.Builder
		for x := range columns {
			line.WriteRune(t.Cell(x, y).Char)
		}
		b.WriteString(strings.TrimRight(line.String(), " \x00") + "\n")
	}
	return b.String()
}

// TestWatchedStatus looks at a cluster that gets well, on a terminal that
// becomes too small for it.
func TestWatchedStatus(t *testing.T) {
	emulator := vt10x.New(vt10x.WithSize(80, 24))
	if _, err := io.WriteString(emulator, "$ rmqprov status --watch\r\n"); err != nil {
		t.Fatal(err)
	}
	now, size, left := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), [2]int{80, 24}, false
	terminal := screen.Terminal{Out: crlf{emulator}, Size: func() (int, int, error) { return size[0], size[1], nil }}
	w := newWatching(terminal, func() time.Time { return now }, func() {}, func() { left = true })
	var frames strings.Builder
	see := func(what string) {
		w.screen.Draw(w.draw)
		fmt.Fprintf(&frames, "== %s ==\n%s", what, shows(emulator))
	}
	show := func(st provision.Status) {
		if err := w.show(st); err != nil {
			t.Fatal(err)
		}
	}
	see("before the first look")
	show(unwell())
	now = now.Add(1500 * time.Millisecond)
	see("a host is lost")
	size = [2]int{60, 8}
	emulator.Resize(60, 8)
	see("at 60 columns and 8 rows")
	w.press(screen.PageDown)
	see("further down")
	well := unwell()
	well.Healthy, well.Hosts, well.Drift = true, well.Hosts[:1], nil
	show(well)
	size = [2]int{80, 24}
	emulator.Resize(80, 24)
	see("the host is back")
	w.press("q")
	w.close()
	fmt.Fprintf(&frames, "== in the end ==\n%s", shows(emulator))
	golden(t, "watched.txt", frames.String())
	if !left || !w.left {
		t.Error("q does not end it")
	}
}

// crlf is a terminal that has its output made ready by the system.
type crlf struct{ io.Writer }

func (c crlf) Write(p []byte) (int, error) {
	_, err := io.WriteString(c.Writer, strings.ReplaceAll(string(p), "\n", "\r\n"))
	return len(p), err
}
