//go:build lab && chaos

package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// rolling is the first step of a change of a member, whatever comes then.
const rolling = "stack.rabbitmq.gate.formed.before"

// A run whose connections are cut takes its lock again, before others can; one that
// sleeps while another has its lock does nothing more when it wakes.
func (s *stops) testLostLocks(t *testing.T) {
	s.finish(t, "apply", s.lab.Inventory())

	s.editWhole(t)
	r := s.await(t, "apply", s.lab.Inventory(), "started", rolling)
	for _, h := range s.lab.Hosts() {
		lostConnections(t, s.lab, h.Name)
	}
	out, err := s.lab.Rmqprov(t.Context(), "apply", "--yes", s.lab.Inventory()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another run works on this cluster") {
		t.Errorf("an apply beside one whose connections were cut: %v\n%s", err, out)
	}
	if status, err := r.End(); err != nil || status != 0 {
		t.Errorf("the one whose connections were cut: status %d, %v\n%s%s", status, err, r.Failures(), r.Stderr())
	}
	sameShape(t, "apply whose connections were cut", s.applied, checkShape(t, s.lab, s.lab.Inventory()))

	s.editWhole(t)
	r = s.await(t, "apply", s.lab.Inventory(), "started", rolling)
	if err := r.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.finish(t, "apply", s.lab.Inventory()) // which waits until the other is taken for dead
	t.Logf("an apply beside one that sleeps took %s", time.Since(began).Round(time.Second))
	if err := r.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	woke := time.Now()
	if status, err := r.End(); err != nil || status != 1 || !strings.Contains(r.Stderr(), "another run has taken it since") {
		t.Errorf("the one that slept: status %d, %v\n%s%s", status, err, r.Failures(), r.Stderr())
	}
	for _, e := range r.Seen() {
		if e.Kind == "started" && e.Time.After(woke) {
			t.Errorf("%s began after the sleep", e.Step)
		}
	}
	sameShape(t, "apply beside one that slept", s.applied, checkShape(t, s.lab, s.lab.Inventory()))
}

// editWhole changes a member by hand and waits until it is back.
func (s *stops) editWhole(t *testing.T) {
	t.Helper()
	if _, err := s.lab.Root(t.Context(), "node-1", "docker service update -q --env-add EDITED=1 rabbitmq_rabbitmq-02\n"); err != nil {
		t.Fatal(err)
	}
	for range 60 {
		if s.lab.Whole(t.Context()) == nil {
			return
		}
		time.Sleep(time.Second) // a cluster that becomes whole tells nobody
	}
	t.Fatal("the member that was changed by hand does not come back")
}
