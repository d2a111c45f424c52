// Package screen draws whole pictures on a terminal and reads its keys.
//
// It draws on the terminal's alternate screen, which no terminal re-wraps when
// its size changes and which leaves what was there before untouched. Each
// picture goes out in one write that holds the changed lines only, so nothing
// flickers. The terminal is asked nothing: answers that come late would land in
// the user's shell.
package screen

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// The size where the terminal does not tell its own.
const defaultColumns, defaultRows = 80, 24

// Terminal is what a screen is drawn on.
type Terminal struct {
	Out  io.Writer
	In   *os.File                              // of the terminal; nil: no keys
	Size func() (columns, rows int, err error) // asked before each picture
}

// Screen is the alternate screen of a terminal, in use.
type Screen struct {
	terminal Terminal
	before   *term.State // of the terminal; nil where it was left as it is
	keys     chan Key

	mu            sync.Mutex
	columns, rows int      // of the last picture
	shown         []string // its lines
	closed        bool
}

const (
	enter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J" // alternate screen, no cursor, no wrapping
	leave = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	// Terminals that know these show what is between them at once; others
	// ignore them.
	begin, end = "\x1b[?2026h", "\x1b[?2026l"
	// Terminals that become smaller keep the line of the cursor in sight.
	home = "\x1b[H"
)

// Open takes the terminal over. Close gives it back.
func Open(t Terminal) *Screen {
	s := &Screen{terminal: t, keys: make(chan Key, 16)}
	if t.In != nil {
		// Without keys there is a picture all the same.
		if before, err := term.MakeRaw(int(t.In.Fd())); err == nil {
			s.before = before
			go s.read()
		}
	}
	s.write(enter)
	return s
}

// Keyed says that keys are read.
func (s *Screen) Keyed() bool { return s.before != nil }

// Keys tells the keys that are pressed. It is never closed.
func (s *Screen) Keys() <-chan Key { return s.keys }

// Size is the terminal's, in columns and rows.
func (s *Screen) Size() (columns, rows int) {
	columns, rows, err := s.terminal.Size()
	if err != nil || columns <= 0 || rows <= 0 {
		return defaultColumns, defaultRows
	}
	return columns, rows
}

// Draw shows lines, which draw makes for a number of columns and rows and
// which are no wider and no more than that. The last column stays free: what
// erases the rest of a line would take its character with it.
func (s *Screen) Draw(draw func(columns, rows int) []string) {
	columns, rows := s.Size()
	lines := draw(max(1, columns-1), rows)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	var b strings.Builder
	if columns != s.columns || rows != s.rows {
		b.WriteString("\x1b[2J")
		s.columns, s.rows, s.shown = columns, rows, make([]string, rows)
	}
	for i := range s.shown {
		line := ""
		if i < len(lines) {
			line = lines[i]
		}
		if line != s.shown[i] {
			fmt.Fprintf(&b, "\x1b[%d;1H%s\x1b[K", i+1, line)
			s.shown[i] = line
		}
	}
	if b.Len() > 0 {
		s.write(begin + b.String() + home + end)
	}
}

// write sends to the terminal. One that went away must not stop the work that
// is shown on it.
func (s *Screen) write(text string) { _, _ = io.WriteString(s.terminal.Out, text) }

// Close gives the terminal back as it was. It may be called again.
func (s *Screen) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.write(leave)
	if s.before != nil {
		_ = term.Restore(int(s.terminal.In.Fd()), s.before) // a terminal that went away needs none
	}
}
