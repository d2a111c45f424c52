package main

import (
	"io"
	"os"
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
