package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Load is a publisher and a consumer at work.
type Load struct {
	cmd    *exec.Cmd
	report bytes.Buffer
}

// LoadReport is what a load says of its messages when it has ended.
type LoadReport struct {
	Seconds                               float64
	Confirmed, Consumed, Lost, Duplicated int
	Published, Republished, Reconnects    int
	Publisher, Consumer                   LoadSide
}

// LoadSide has the longest pauses of one side.
type LoadSide struct {
	Longest LoadPause // in which no queue had an event
	Queue   LoadPause // in which a single queue had none
}

// LoadPause is a time without an event.
type LoadPause struct {
	At      time.Time
	Seconds float64
}

func (p LoadPause) String() string {
	return fmt.Sprintf("%.1f s at %s", p.Seconds, p.At.Format(time.TimeOnly))
}

func (r LoadReport) String() string {
	return fmt.Sprintf("%.0f a second for %.0f s: %d confirmed, %d lost, %d duplicated, %d reconnects; longest pause: publisher %s, consumer %s; of one queue: publisher %s, consumer %s",
		float64(r.Confirmed)/r.Seconds, r.Seconds, r.Confirmed, r.Lost, r.Duplicated, r.Reconnects,
		r.Publisher.Longest, r.Consumer.Longest, r.Publisher.Queue, r.Consumer.Queue)
}

// StartLoad publishes so many messages a second through all hosts, and consumes them, until the
// load is stopped.
func (l *Lab) StartLoad(ctx context.Context, rate int, password string) (*Load, error) {
	load := &Load{cmd: l.rmqlab(ctx, "load", "--json", "--rate", strconv.Itoa(rate))}
	load.cmd.Stdin, load.cmd.Stdout, load.cmd.Stderr = strings.NewReader(password), &load.report, l.log
	if err := load.cmd.Start(); err != nil {
		return nil, fmt.Errorf("rmqlab load: %w", err)
	}
	return load, nil
}

// Stop ends the load, waits until its queues are drained, and returns its report. The error is its
// verdict: that messages were lost, or that it could not work.
func (d *Load) Stop() (r LoadReport, err error) {
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		return r, fmt.Errorf("rmqlab load ended before it was stopped: %w", err)
	}
	verdict := d.cmd.Wait()
	if err := json.Unmarshal(d.report.Bytes(), &r); err != nil {
		return r, fmt.Errorf("rmqlab load: %w, without a report", verdict)
	}
	return r, verdict
}
