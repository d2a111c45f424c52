package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// Event is one line of what rmqprov says with --json.
type Event struct {
	Time    time.Time `json:"time"`
	Kind    string    `json:"event"`
	Step    string    `json:"step"`
	Host    string    `json:"host"`
	Message string    `json:"message"`
}

// Run is a run of rmqprov that tells its events.
type Run struct {
	cmd    *exec.Cmd
	events *bufio.Scanner
	stderr bytes.Buffer
	seen   []Event
}

// Start starts a run of rmqprov; its arguments must have --json among them.
func (l *Lab) Start(ctx context.Context, args ...string) (*Run, error) {
	r := &Run{cmd: l.Rmqprov(ctx, args...)}
	r.cmd.Stderr = &r.stderr
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.events = bufio.NewScanner(stdout)
	r.events.Buffer(nil, 1<<20)
	return r, r.cmd.Start()
}

// Next waits for the next event; false when there will be none.
func (r *Run) Next() (Event, bool, error) {
	if !r.events.Scan() {
		return Event{}, false, r.events.Err()
	}
	var e Event
	if err := json.Unmarshal(r.events.Bytes(), &e); err != nil {
		return Event{}, false, fmt.Errorf("rmqprov said %q, which is no event: %w", r.events.Text(), err)
	}
	r.seen = append(r.seen, e)
	return e, true, nil
}

// Signal sends a signal to the run.
func (r *Run) Signal(s os.Signal) error { return r.cmd.Process.Signal(s) }

// Kill ends the run as a power cut would, and waits until it is gone.
func (r *Run) Kill() error {
	if err := r.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("the run ended before it was killed: %w", err)
	}
	_ = r.cmd.Wait() // it says that it was killed
	return nil
}

// End reads what is left and returns the exit status.
func (r *Run) End() (status int, err error) {
	for {
		if _, more, err := r.Next(); err != nil || !more {
			break
		}
	}
	err = r.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// Seen are the events so far.
func (r *Run) Seen() []Event { return r.seen }

// Stderr is what an operator reads. It is whole after End or Kill.
func (r *Run) Stderr() string { return r.stderr.String() }

// Failures are the steps that failed, with what came back.
func (r *Run) Failures() string {
	var b bytes.Buffer
	for _, e := range r.seen {
		if e.Kind == "failed" {
			fmt.Fprintf(&b, "%s: %s\n", e.Step, e.Message)
		}
	}
	return b.String()
}
