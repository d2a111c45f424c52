//go:build lab

package e2e

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// together is how many applies start at the same moment.
const together = 20

// run is one apply of several.
type run struct {
	cmd   *exec.Cmd
	out   bytes.Buffer
	err   error
	ended time.Time
	done  chan struct{}
}

func startRun(t *testing.T, l *lab.Lab, args ...string) *run {
	t.Helper()
	r := &run{cmd: l.Rmqprov(t.Context(), append(args, l.Inventory())...), done: make(chan struct{})}
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.done)
		r.err = r.cmd.Wait()
		r.ended = time.Now()
	}()
	return r
}

// holder is what those say who find the lock taken.
var holder = regexp.MustCompile(`another run works on this cluster: (\S+@\S+) since (\S+), process \d+ \(so says node-\d\)`)

func testLock(t *testing.T, l *lab.Lab) {
	edit(t, l, "rabbitmq_rabbitmq-02")
	began := time.Now()
	var runs []*run
	for range together {
		runs = append(runs, startRun(t, l, "apply", "--yes"))
	}
	waiting := startRun(t, l, "apply", "--yes", "--lock-wait", "20m")
	var winner *run
	for _, r := range append(runs, waiting) {
		<-r.done
		if r != waiting && r.err == nil {
			if winner != nil {
				t.Errorf("two applies worked; the second says\n%s", &r.out)
			}
			winner = r
		}
	}
	if winner == nil {
		t.Fatalf("of %d applies none worked; one says\n%s", together, &runs[0].out)
	}
	says := map[string]bool{}
	for _, r := range runs {
		if r != winner {
			says[lost(t, r, winner, began)] = true
		}
	}
	if len(says) != 1 {
		t.Errorf("the others name several holders: %v", says)
	}
	if waiting.err != nil || !strings.Contains(waiting.out.String(), "Nothing to do") || waiting.ended.Before(winner.ended) {
		t.Errorf("the one that waits ended %s after the holder: %v\n%s", waiting.ended.Sub(winner.ended), waiting.err, &waiting.out)
	}
}

// lost is what an apply says that found the lock taken.
func lost(t *testing.T, r, winner *run, began time.Time) string {
	t.Helper()
	if code := r.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("an apply that found the lock taken ended with status %d", code)
	}
	if !r.ended.Before(winner.ended) {
		t.Errorf("an apply that found the lock taken ended %s after the holder", r.ended.Sub(winner.ended))
	}
	m := holder.FindStringSubmatch(r.out.String())
	if m == nil {
		t.Errorf("it does not say who holds the lock:\n%s", &r.out)
		return ""
	}
	since, err := time.Parse(time.RFC3339, m[2])
	if err != nil || since.Before(began.Add(-time.Second)) || since.After(r.ended) {
		t.Errorf("it says that the lock is held since %s (%v); the applies began at %s", m[2], err, began.UTC())
	}
	return m[1] + " " + m[2]
}

// The lock goes with the process that holds it, however that ends.
func testKilledHolder(t *testing.T, l *lab.Lab) {
	edit(t, l, "haproxy_haproxy")
	killCommandAt(t, l.Rmqprov(t.Context(), "apply", "--yes", "--json", l.Inventory()), "stack.haproxy.service.")
	r := startRun(t, l, "apply", "--yes", "--lock-wait", "1m")
	<-r.done
	if r.err != nil {
		t.Errorf("apply after a killed one: %v\n%s", r.err, &r.out)
	}
	if left := planned(t, l); len(left) > 0 {
		t.Errorf("the plan after it is not empty: %v", left)
	}
}

// edit changes a service by hand.
func edit(t *testing.T, l *lab.Lab, service string) {
	t.Helper()
	if _, err := l.Root(t.Context(), "node-1", "docker service update -d -q --env-add EDITED=1 "+service+"\n"); err != nil {
		t.Fatal(err)
	}
}
