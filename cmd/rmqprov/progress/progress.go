// Package progress shows the events of a run: to people at a terminal, to
// people who read a log, or to programs.
package progress

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/rmqprov/rmqprov/provision"
)

// View shows events. Event may be called from several goroutines at once;
// Close ends the view and leaves what it has shown.
type View interface {
	Event(provision.Event)
	Note(text string) // a line from the program itself
	Close()
}

// place names where a step happens: a host, a stack, or the swarm.
func place(e provision.Event) string {
	if e.Host != "" {
		return e.Host
	}
	kind, rest, _ := strings.Cut(string(e.Step), ".")
	if kind != "stack" {
		return kind
	}
	name, _, _ := strings.Cut(rest, ".")
	return name
}

// seconds writes a duration as people compare them: 0.3s, 72.4s.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// clean makes one line of text from a host safe for a terminal and a log.
func clean(text string) string {
	text = escapes.ReplaceAllString(text, "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.TrimSpace(text))
}
