//go:build lab && chaos

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// Three members become five on two more hosts, and three again, whose hosts then leave. All of it
// happens under load, and beside a queue whose messages nobody consumes before the end.
func TestScaleUnderLoad(t *testing.T) {
	l := bringUp(t, "e2e-scale", "10.106.0.0/24", "debian13")
	l.Password = "given-Password.2357"
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := lab.Keep(t.Context(), l.Hosts()[0], l.Password, "kept", kept); err != nil {
		t.Fatal(err)
	}
	underLoad(t, l, func() {
		if growsToFive(t, l) && retiresTwo(t, l) {
			twoLeave(t, l)
		}
	})
	if err := lab.Kept(t.Context(), l.Hosts()[0], l.Password, "kept", kept); err != nil {
		t.Errorf("of %d messages that lay in a queue all the time: %v", kept, err)
	}
}

func growsToFive(t *testing.T, l *lab.Lab) bool {
	mustDo(t, l, "up", "--hosts", "5", "--subnet", l.Subnet)
	five := scaled(t, l, 5)
	if !applies(t, l, five) {
		return false
	}
	checkScaled(t, l, five)
	return !t.Failed()
}

// retiresTwo lets two members go, which nothing does before somebody agreed.
func retiresTwo(t *testing.T, l *lab.Lab) bool {
	three := scaled(t, l, 3)
	if out, err := l.Rmqprov(t.Context(), "apply", three).CombinedOutput(); err == nil || !strings.Contains(string(out), "there is no terminal to ask on") {
		t.Errorf("two members are to go, and nobody is asked: %v\n%s", err, out)
	}
	checkScaled(t, l, scaled(t, l, 5))
	if diff := cmp.Diff(retirement(), retiring(t, l, three)); diff != "" {
		t.Errorf("what was done to the members that go, in order (-want +got):\n%s", diff)
	}
	if out, err := l.Rmqprov(t.Context(), "plan", "--detailed-exitcode", three).CombinedOutput(); err != nil {
		t.Errorf("there is something left to do: %v\n%s", err, out)
	}
	return !t.Failed()
}

// retirement is what is done to two members that go: the last one first, and the other when that
// one is forgotten.
func retirement() []string {
	var steps []string
	for _, slot := range []string{"05", "04"} {
		for _, deed := range []string{"before-stop.quorum.", "before-stop.drain."} {
			steps = append(steps, "stack.rabbitmq."+deed+"rabbitmq-"+slot)
		}
		steps = append(steps, "service.rabbitmq_rabbitmq-"+slot, "stack.rabbitmq.on-lost.forget.rabbitmq-"+slot,
			"stack.rabbitmq.on-lost.deregister.rabbitmq-"+slot, "host.node-"+strings.TrimPrefix(slot, "0")+".volume.rabbitmq_rabbitmq-"+slot)
	}
	return steps
}

// retiring applies an inventory, and returns what was done to the members that go by it.
func retiring(t *testing.T, l *lab.Lab, inventory string) []string {
	r, err := l.Start(t.Context(), "apply", "--yes", "--json", inventory)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := r.End(); err != nil || status != 0 {
		t.Errorf("rmqprov apply: status %d, %v\n%s%s", status, err, r.Failures(), r.Stderr())
	}
	var done []string
	for _, e := range r.Seen() {
		if e.Kind == "done" && slices.Contains(retirement(), e.Step) {
			done = append(done, e.Step)
		}
	}
	return done
}

// twoLeave lets the hosts go that hold no member any more.
func twoLeave(t *testing.T, l *lab.Lab) {
	inventory := scaled(t, l, 3)
	gone := []string{"node-5", "node-4"}
	for _, host := range gone {
		if out, err := l.Rmqprov(t.Context(), "replace", "--yes", inventory, host).CombinedOutput(); err != nil {
			t.Fatalf("rmqprov replace: %v\n%s", err, out)
		}
	}
	inventory = scaled(t, l, 3, gone...)
	l.Keep("node-1", "node-2", "node-3")
	if !applies(t, l, inventory) {
		return
	}
	checkScaled(t, l, inventory)
	const holds = `docker info --format '{{.Swarm.LocalNodeState}}'; docker ps -aq; docker volume ls -q; docker network ls -q -f driver=overlay
`
	for _, host := range gone {
		if out, err := l.Root(t.Context(), host, holds); err != nil || out != "inactive\n" {
			t.Errorf("%s has left, and there is on it: %v\n%s", host, err, out)
		}
	}
}

// checkScaled holds all three systems against the inventory: each of the lab's hosts is a manager and
// holds a member, and a replica of every queue.
func checkScaled(t *testing.T, l *lab.Lab, inventory string) {
	t.Helper()
	for _, args := range [][]string{{"verify", inventory}, {"plan", "--detailed-exitcode", inventory}} {
		if out, err := l.Rmqprov(t.Context(), args...).CombinedOutput(); err != nil {
			t.Errorf("rmqprov %s: %v\n%s", args[0], err, out)
		}
	}
	if err := l.Standing(t.Context(), l.Password); err != nil {
		t.Error(err)
	}
}

// scaled writes the lab's inventory with so many members of RabbitMQ, without some hosts, and
// returns its path.
func scaled(t *testing.T, l *lab.Lab, members int, without ...string) string {
	t.Helper()
	path := l.Inventory()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kept := slices.DeleteFunc(strings.SplitAfter(string(text), "\n"), func(line string) bool {
		return slices.ContainsFunc(without, func(host string) bool { return strings.HasPrefix(line, fmt.Sprintf("host %q ", host)) })
	})
	more := strings.NewReplacer("members        = 3", fmt.Sprintf("members        = %d", members), `image = "haproxy:3.0"`, fmt.Sprintf(`image = "haproxy:3.0", members = %d`, members))
	path = filepath.Join(t.TempDir(), fmt.Sprintf("members-%d.hcl", members))
	if err := os.WriteFile(path, []byte(more.Replace(strings.Join(kept, ""))), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
