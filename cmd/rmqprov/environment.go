package main

import (
	"io"
	"os"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/screen"
)

// environment is all that a run takes from outside, so that tests can give
// their own.
type environment struct {
	Args    []string // without the program's name
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Env     func(string) (string, bool)
	Signals <-chan os.Signal // interrupts; nil: none will come
	Version string

	StdinTerminal  bool
	StdoutTerminal bool
	StderrTerminal bool
	Size           func() (columns, rows int, err error) // of the terminal
}

// interactive says that there is somebody to ask.
func (e environment) interactive() bool { return e.StdinTerminal && e.StderrTerminal }

// colour says whether escape sequences may go to a stream.
func (e environment) colour(terminal, refused bool) bool {
	if no, _ := e.Env("NO_COLOR"); no != "" || refused {
		return false
	}
	kind, _ := e.Env("TERM")
	return terminal && kind != "dumb"
}

// terminal is what pictures are drawn on, where a stream takes them: not on a
// terminal that another job has. Keys are read where standard input is one too.
func (a *app) terminal(out io.Writer, isTerminal bool) (screen.Terminal, bool) {
	if !a.colour(isTerminal, a.noColour) {
		return screen.Terminal{}, false
	}
	t := screen.Terminal{Out: out, Size: a.Size}
	if f, ok := out.(*os.File); ok && !screen.Foreground(f) {
		return t, false
	}
	if in, ok := a.Stdin.(*os.File); ok && a.StdinTerminal && screen.Foreground(in) {
		t.In = in
	}
	return t, true
}

// columns is the width that text for people is wrapped at; 0: it is not
// wrapped, since no terminal shows it.
func (e environment) columns() uint {
	if !e.StderrTerminal || e.Size == nil {
		return 0
	}
	columns, _, err := e.Size()
	if err != nil || columns <= 0 {
		return 78
	}
	return uint(columns)
}
