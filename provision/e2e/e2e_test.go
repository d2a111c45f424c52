//go:build lab

// Package e2e provisions real hosts of the lab by the programs in bin, as a user does, and looks
// at the outcome from outside.
package e2e

import (
	"bufio"
	"context"
	"strings"
	"testing"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// Debian hosts, an apply that is killed half-way, and one that finishes what the first began. Then
// the cluster's life: what is done to it by hand, and its end.
func TestDebianAfterAKilledApply(t *testing.T) {
	l := bringUp(t, "e2e", "10.80.0.0/24", "debian13")
	l.Password = "given-Password.2357"
	killAt(t, l, l.Inventory(), "stack.consul.service.")
	if out, err := l.Apply(t.Context()); err != nil {
		t.Fatalf("apply after a killed one: %v\n%s", err, out)
	}
	checkCluster(t, l)
	t.Run("drift is mended, and nothing else is touched", func(t *testing.T) { testDrift(t, l) })
	t.Run("of twenty applies at once one works, and the others say which", func(t *testing.T) { testLock(t, l) })
	t.Run("a killed apply leaves no lock", func(t *testing.T) { testKilledHolder(t, l) })
	t.Run("destroy", func(t *testing.T) { testDestroy(t, l) })
}

// Three systems in one cluster; the password is made by rmqprov.
func TestMixedSystems(t *testing.T) {
	l := bringUp(t, "e2e-mixed", "10.83.0.0/24", "amzn2023", "amzn2", "debian12")
	before := logins(t, l)
	stop := watchProcesses(t, l)
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	for host, n := range logins(t, l) {
		if made := n - before[host]; made != 1 {
			t.Errorf("apply made %d SSH connections to %s, want 1", made, host)
		}
	}
	seen := stop()
	checkCluster(t, l)
	t.Run("no secret in a process while applying", func(t *testing.T) {
		noneIn(t, "a process's arguments or environment", seen, secrets(t, l))
	})
}

func checkCluster(t *testing.T, l *lab.Lab) {
	t.Run("Consul has a leader and three peers", func(t *testing.T) { testConsul(t, l) })
	t.Run("every member sees three", func(t *testing.T) { testViews(t, l) })
	t.Run("three members run, by HAProxy on each host", func(t *testing.T) { testMembers(t, l) })
	t.Run("messages pass from host to host", func(t *testing.T) { testRelay(t, l) })
	t.Run("the statistics want a password", func(t *testing.T) { testStatistics(t, l) })
	t.Run("guest is refused", func(t *testing.T) { testGuest(t, l) })
	t.Run("apply again changes nothing", func(t *testing.T) { testNothingToDo(t, l) })
	t.Run("verify and status agree", func(t *testing.T) { testVerdicts(t, l) })
	t.Run("no secret where others can read it", func(t *testing.T) { testSecrets(t, l) })
}

// bringUp gives a test three bare hosts, and takes them away after it.
func bringUp(t *testing.T, name, subnet string, systems ...string) *lab.Lab {
	t.Helper()
	l, err := lab.New(name, subnet, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := l.Up(t.Context(), 3, systems...); err != nil {
		t.Fatal(err)
	}
	return l
}

// killAt starts an apply and kills it when it has started a step whose id begins so.
func killAt(t *testing.T, l *lab.Lab, inventory, step string) {
	t.Helper()
	cmd := l.Rmqprov(t.Context(), "apply", "--yes", "--json", inventory)
	events, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := false
	for lines := bufio.NewScanner(events); !found && lines.Scan(); {
		line := lines.Text()
		found = strings.Contains(line, `"event":"started"`) && strings.Contains(line, `"step":"`+step)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Errorf("apply ended before it was killed: %v", err)
	}
	if err := cmd.Wait(); !found {
		t.Fatalf("apply never started a step %s…: %v", step, err)
	}
}

func logins(t *testing.T, l *lab.Lab) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, h := range l.Hosts() {
		n, err := l.Logins(t.Context(), h.Name)
		if err != nil {
			t.Fatal(err)
		}
		counts[h.Name] = n
	}
	return counts
}
