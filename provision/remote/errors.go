package remote

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// ConnectError says that no connection to a host came about. [IsTransient]
// says whether it may by itself.
type ConnectError struct {
	Who   string
	Doing string // "connecting", "SSH handshake"
	Err   error
}

func (e *ConnectError) Error() string {
	msg := fmt.Sprintf("%s: %s: %v", e.Who, e.Doing, e.Err)
	if advice := connectAdvice(e.Err); advice != "" {
		msg += ". " + advice
	}
	return msg
}

func (e *ConnectError) Unwrap() error { return e.Err }

// errDialTimeout ends a dial that took longer than DialTimeout. It is not
// context.DeadlineExceeded, which would be the caller's own time limit.
var errDialTimeout = errors.New("no answer in time")

// errClosed ends what is under way on a Host that is closed.
var errClosed = errors.New("the connection was closed by this program")

// LostError says that the connection went away in the middle of something,
// which may or may not have been done on the host. It is transient: the next
// use of the host dials again.
type LostError struct {
	Who   string
	Doing string // what was under way, or ""
	Err   error
}

func (e *LostError) Error() string {
	if e.Doing == "" {
		return fmt.Sprintf("%s: the connection was lost: %v", e.Who, e.Err)
	}
	return fmt.Sprintf("%s: the connection was lost during %s, which may or may not have been done: %v", e.Who, e.Doing, e.Err)
}

func (e *LostError) Unwrap() error { return e.Err }

// ExitError is a command that ended with another status than 0.
type ExitError struct {
	Who     string
	Command string // its first words, never a whole script
	Status  int    // 128 + the signal's number for a command that a signal ended
	Signal  string // "KILL", or ""
	Stderr  string // the last of it
	Advice  string
}

func (e *ExitError) Error() string {
	msg := fmt.Sprintf("%s: %s: exit status %d", e.Who, e.Command, e.Status)
	if e.Signal != "" {
		msg = fmt.Sprintf("%s: %s: ended by signal %s", e.Who, e.Command, e.Signal)
	}
	if e.Stderr != "" {
		msg += ": " + e.Stderr
	}
	if e.Advice != "" {
		msg += ". " + e.Advice
	}
	return msg
}

// SudoError says that sudo would not run the command at all.
type SudoError struct {
	Who    string
	Reason string
	Stderr string // what sudo said
	Advice string
}

func (e *SudoError) Error() string {
	return fmt.Sprintf("%s: sudo: %s (it said: %s). %s", e.Who, e.Reason, e.Stderr, e.Advice)
}

// OutputError says that a command printed more than its limit; it was stopped.
type OutputError struct {
	Who     string
	Command string
	Limit   int // bytes
}

func (e *OutputError) Error() string {
	return fmt.Sprintf("%s: %s: printed more than %d bytes and was stopped", e.Who, e.Command, e.Limit)
}

// named adds host and act to an error that does not begin with the host.
func named(who, doing string, err error) error {
	if strings.HasPrefix(err.Error(), who) {
		return err
	}
	return fmt.Errorf("%s: %s: %w", who, doing, err)
}

const stderrShown = 2048 // bytes of stderr that an error shows

// tail returns the end of what a command printed, fit for one line of an error.
func tail(text []byte) string {
	s := strings.TrimSpace(strings.ToValidUTF8(string(text), "?"))
	if len(s) > stderrShown {
		s = "…" + strings.ToValidUTF8(s[len(s)-stderrShown:], "")
	}
	return strings.Map(printable, s)
}

func printable(r rune) rune {
	if r == '\n' || r == '\t' || unicode.IsPrint(r) {
		return r
	}
	return -1
}
