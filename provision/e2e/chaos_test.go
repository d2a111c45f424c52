//go:build lab && chaos

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// A host dies and another takes its place. Then it is powered on again: it finds a swarm, a Consul
// and a RabbitMQ that have forgotten it, and must do them no harm.
func TestGhostUnderLoad(t *testing.T) {
	l := standing(t)
	mustDo(t, l, "up", "--hosts", "4")
	ghost := l.Hosts()[0]
	inventory, err := l.InventoryWithout(t.TempDir(), ghost.Name)
	if err != nil {
		t.Fatal(err)
	}
	underLoad(t, l, func() {
		mustDo(t, l, "kill", ghost.Name)
		l.Keep("node-2", "node-3", "node-4")
		if !applies(t, l, inventory) {
			return
		}
		checkReplaced(t, l, inventory)
		mustDo(t, l, "start", ghost.Name)
		l.Keep("node-2", "node-3", "node-4")
		awaitDocker(t, l, ghost)
		time.Sleep(30 * time.Second) // in which its containers do what harm they can
		checkReplaced(t, l, inventory)
	})
	out, err := l.Rmqprov(t.Context(), "plan", l.Inventory()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), ghost.Name) {
		t.Errorf("the dead host is back in the inventory, and plan says: %v\n%s", err, out)
	}
}

// A host that lives leaves in good order, and a new one takes its place.
func TestLeaveUnderLoad(t *testing.T) {
	l := standing(t)
	underLoad(t, l, func() {
		if out, err := l.Rmqprov(t.Context(), "replace", "--yes", l.Inventory(), "node-2").CombinedOutput(); err != nil {
			t.Errorf("rmqprov replace: %v\n%s", err, out)
			return
		}
		mustDo(t, l, "replace", "node-2")
		if applies(t, l, l.Inventory()) {
			checkReplaced(t, l, l.Inventory())
		}
	})
}

// A change of a setting and of the plugins rolls through the members.
func TestRollUnderLoad(t *testing.T) {
	l := standing(t)
	changed := edited(t, l, `members        = 3`, `members        = 3
    disk_free_limit = "1GB"
    plugins         = ["rabbitmq_management", "rabbitmq_prometheus"]`)
	underLoad(t, l, func() {
		if applies(t, l, changed) {
			checkReplaced(t, l, changed)
		}
	})
}

// edited writes the lab's inventory anew with a piece of it replaced, and returns the path.
func edited(t *testing.T, l *lab.Lab, before, after string) string {
	t.Helper()
	text, err := os.ReadFile(l.Inventory())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), before) != 1 {
		t.Fatalf("%q does not stand once in %s", before, l.Inventory())
	}
	path := filepath.Join(t.TempDir(), "edited.hcl")
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), before, after, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func applies(t *testing.T, l *lab.Lab, inventory string) bool {
	t.Helper()
	out, err := l.Rmqprov(t.Context(), "apply", "--yes", inventory).CombinedOutput()
	if err != nil {
		t.Errorf("rmqprov apply: %v\n%s", err, out)
	}
	return err == nil
}

// awaitDocker waits until Docker is up again on a host.
func awaitDocker(t *testing.T, l *lab.Lab, h lab.Host) {
	t.Helper()
	for range 60 {
		if _, err := l.Root(t.Context(), h.Name, "docker info\n"); err == nil {
			return
		}
		time.Sleep(time.Second)
	}
	t.Fatalf("Docker on %s does not come back", h.Name)
}
