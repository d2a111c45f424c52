//go:build lab && chaos

package e2e

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// loadRate is what clients publish meanwhile, in messages a second.
const loadRate = 1000

// Each host in turn loses its power for good, and a new one comes in its place; ROUNDS times over.
// Where one was not replaced, no other is lost: two of three are more than a majority can lose.
func TestReplaceUnderLoad(t *testing.T) {
	l := standing(t)
	for round := range rounds(t) {
		for _, host := range []string{"node-1", "node-2", "node-3"} {
			if !t.Run(fmt.Sprintf("%s is replaced, round %d", host, round+1), func(t *testing.T) { testReplace(t, l, host) }) {
				return
			}
		}
	}
}

// standing brings up three hosts with a cluster on them.
func standing(t *testing.T) *lab.Lab {
	t.Helper()
	l := bringUp(t, "e2e-load", "10.89.0.0/24", "debian13")
	l.Password = "given-Password.2357"
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("ROUNDS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("ROUNDS=%s: give the number of rounds", text)
	}
	return n
}

// underLoad does something while clients publish and consume, and wants no confirmed message lost.
func underLoad(t *testing.T, l *lab.Lab, do func()) lab.LoadReport {
	t.Helper()
	load, err := l.StartLoad(t.Context(), loadRate, l.Password)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second) // in which it connects and finds its pace
	do()
	report, err := load.Stop()
	t.Log(report)
	if err != nil || report.Lost > 0 || report.Confirmed < 1000 {
		t.Errorf("the load: %v", err)
	}
	return report
}

func testReplace(t *testing.T, l *lab.Lab, host string) {
	underLoad(t, l, func() {
		mustDo(t, l, "kill", host)
		mustDo(t, l, "replace", host)
		if _, err := l.Apply(t.Context()); err != nil {
			t.Error(err)
			return
		}
		checkReplaced(t, l, l.Inventory())
	})
}

func mustDo(t *testing.T, l *lab.Lab, verb string, args ...string) {
	t.Helper()
	if err := l.Do(t.Context(), verb, args...); err != nil {
		t.Fatal(err)
	}
	if err := l.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// checkReplaced holds all three systems against the inventory: they have three members each, none
// of them the lost one, and every queue has its replicas.
func checkReplaced(t *testing.T, l *lab.Lab, inventory string) {
	t.Helper()
	if out, err := l.Rmqprov(t.Context(), "verify", inventory).CombinedOutput(); err != nil {
		t.Errorf("rmqprov verify: %v\n%s", err, out)
	}
	if out, err := l.Rmqprov(t.Context(), "plan", "--detailed-exitcode", inventory).CombinedOutput(); err != nil {
		t.Errorf("there is something left to do: %v\n%s", err, out)
	}
	if err := l.Settled(t.Context(), l.Password); err != nil {
		t.Error(err)
	}
}
