//go:build lab && chaos

package e2e

import (
	"strings"
	"testing"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

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

// Both members that are left are changed while the third has no power: of two, the queues have no
// majority while one restarts. That is done only for who names the cluster, and told in the history.
func TestForcedQuorumLoss(t *testing.T) {
	l := bringUp(t, "e2e-forced", "10.108.0.0/24", "debian13")
	l.Password = "given-Password.2357"
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := lab.Keep(t.Context(), l.Hosts()[0], l.Password, "kept", kept); err != nil {
		t.Fatal(err)
	}
	mustDo(t, l, "kill", "node-3")
	changed := edited(t, l, `members        = 3`, `members        = 3
    disk_free_limit = "1500MB"`)
	apply := []string{"apply", "--yes", "--allow-unreachable"}
	for _, refused := range []struct{ flag, says string }{
		{"--yes", "which is no majority"},
		{"--force-quorum-loss", "asks for the cluster's name, and there is no terminal to ask on"},
		{"--force-quorum-loss=other", "the cluster of this inventory is rmq"},
	} {
		out, _ := l.Rmqprov(t.Context(), append(apply, refused.flag, changed)...).CombinedOutput()
		if !strings.Contains(string(out), refused.says) || strings.Contains(string(out), "restarts rabbitmq_") {
			t.Errorf("with %s, apply is to refuse with %q, and says:\n%s", refused.flag, refused.says, out)
		}
	}
	if out, err := l.Rmqprov(t.Context(), append(apply, "--force-quorum-loss=rmq", changed)...).CombinedOutput(); err != nil {
		t.Errorf("with the cluster's name, apply says: %v\n%s", err, out)
	}
	if out, err := l.Rmqprov(t.Context(), "history", changed).CombinedOutput(); err != nil || strings.Count(string(out), "apply --force-quorum-loss") != 1 {
		t.Errorf("the history does not tell who gave up a majority: %v\n%s", err, out)
	}
	mustDo(t, l, "start", "node-3")
	awaitWhole(t, l)
	if applies(t, l, changed) {
		checkReplaced(t, l, changed)
	}
	if err := lab.Kept(t.Context(), l.Hosts()[0], l.Password, "kept", kept); err != nil {
		t.Errorf("of %d messages that lay in a queue meanwhile: %v", kept, err)
	}
}
