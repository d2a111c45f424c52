//go:build lab && chaos

package e2e

import "testing"

// A host is lost, and RabbitMQ's configuration is changed before it is replaced: one apply does both,
// and no member stops before the new one has its share of the queues.
func TestLostAndChangedUnderLoad(t *testing.T) {
	l := bringUp(t, "e2e-risk", "10.107.0.0/24", "debian13")
	l.Password = "given-Password.2357"
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	underLoad(t, l, func() {
		mustDo(t, l, "kill", "node-2")
		mustDo(t, l, "replace", "node-2")
		changed := edited(t, l, `members        = 3`, `members        = 3
    disk_free_limit = "1GB"`)
		if applies(t, l, changed) {
			checkReplaced(t, l, changed)
		}
	})
}
