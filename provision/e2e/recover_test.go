//go:build lab && chaos

package e2e

import (
	"strings"
	"testing"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// kept is how many confirmed messages lie in a quorum queue when most hosts are lost.
const kept = 3000

// Two of three hosts are lost for good. The third goes on alone, with what it has, and two new ones
// take the places of the lost. The recover is killed once, and run again.
func TestRecover(t *testing.T) {
	l := bringUp(t, "e2e-recover", "10.103.0.0/24", "debian13")
	l.Password = "given-Password.2357"
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := lab.Keep(t.Context(), l.Hosts()[0], l.Password, "kept", kept); err != nil {
		t.Fatal(err)
	}
	refusesRecover(t, l, "the swarm has a leader, and 3 of its 3 managers answer")
	mustDo(t, l, "kill", "node-1")
	mustDo(t, l, "freeze", "node-2")
	refusesRecover(t, l, "which is a majority")
	mustDo(t, l, "thaw", "node-2")
	mustDo(t, l, "kill", "node-2")
	killRecover(t, l, "stack.rabbitmq.on-recover.boot.")
	if out, err := recoverFrom(t, l, "node-3"); err != nil {
		t.Fatalf("rmqprov recover after a killed one: %v\n%s", err, out)
	}
	mustDo(t, l, "replace", "node-1")
	mustDo(t, l, "replace", "node-2")
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkReplaced(t, l, l.Inventory())
	if err := lab.Kept(t.Context(), l.Hosts()[0], l.Password, "kept", kept); err != nil {
		t.Errorf("of %d messages that all three members had: %v", kept, err)
	}
	refusesRecover(t, l, "there is nothing to recover")
}

func recoverFrom(t *testing.T, l *lab.Lab, host string, more ...string) (string, error) {
	args := append([]string{"recover", l.Inventory(), "--from", host, "--yes"}, more...)
	out, err := l.Rmqprov(t.Context(), args...).CombinedOutput()
	return string(out), err
}

func refusesRecover(t *testing.T, l *lab.Lab, why string) {
	t.Helper()
	out, err := recoverFrom(t, l, "node-3")
	if err == nil || !strings.Contains(out, why) {
		t.Errorf("recover is to refuse because %s, and says: %v\n%s", why, err, out)
	}
}

// killRecover kills a recover when it has started a step whose id begins so.
func killRecover(t *testing.T, l *lab.Lab, step string) {
	t.Helper()
	r, err := l.Start(t.Context(), "recover", l.Inventory(), "--from", "node-3", "--yes", "--json")
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, more, err := r.Next()
		if err != nil || !more {
			t.Fatalf("recover never started a step %s…: %v\n%s", step, err, r.Stderr())
		}
		if e.Kind == "started" && strings.HasPrefix(e.Step, step) {
			break
		}
	}
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
}
