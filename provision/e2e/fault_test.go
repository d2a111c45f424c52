//go:build lab && chaos

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// fault befalls a host while a step is at work: at its first event of a kind.
type fault struct {
	kind, step string // how the step's id begins
	host       string
	befall     func(*testing.T, *lab.Lab, string)
}

func (f fault) at(e lab.Event) bool { return e.Kind == f.kind && strings.HasPrefix(e.Step, f.step) }

// The hosts lose their connection, their power and their Docker in the middle of
// steps of all kinds. A run that this ends is followed by one that finishes the
// work, up to the next fault.
func (s *stops) testFaults(t *testing.T) {
	s.befall(t, "apply", []string{s.lab.Inventory()}, []fault{
		{"output", "host.node-1.docker", "node-1", powerCut},
		{"output", "host.node-2.docker", "node-2", lostConnections},
		{"started", "host.node-3.swarm", "node-3", lostConnections},
		{"started", "host.node-3.image.", "node-3", powerCut},
		{"started", "stack.consul.service.consul-02", "node-2", dockerRestart},
		{"started", "stack.rabbitmq.service.rabbitmq-01", "node-1", dockerRestart},
		{"started", "stack.rabbitmq.gate.started.rabbitmq-02", "node-2", lostNetwork},
		{"started", "stack.rabbitmq.gate.started.rabbitmq-03", "node-3", powerCut},
	})
	awaitHealed(t, s.lab, s.lab.Inventory())
	sameShape(t, "apply", s.applied, checkShape(t, s.lab, s.lab.Inventory()))

	s.befall(t, "apply", []string{s.changed}, []fault{
		{"started", "stack.rabbitmq.before-stop.drain.rabbitmq-01", "node-1", lostConnections},
		{"output", "stack.rabbitmq.service.rabbitmq-01", "node-1", dockerRestart},
		{"started", "stack.rabbitmq.service.rabbitmq-02", "node-2", powerCut},
		{"started", "stack.rabbitmq.gate.started.rabbitmq-03", "node-3", lostNetwork},
	})
	awaitHealed(t, s.lab, s.changed)
	checkWatermark(t, s.lab, "0.5")
	sameShape(t, "rolling change", s.rolled, checkShape(t, s.lab, s.changed))

	s.befall(t, "destroy", []string{s.lab.Inventory(), "--volumes", "--docker"}, []fault{
		{"done", "service.rabbitmq_rabbitmq-02", "node-2", dockerRestart},
		{"started", "host.node-3.swarm", "node-3", lostConnections},
		{"started", "host.node-2.swarm", "node-2", powerCut},
		{"started", "host.node-1.docker", "node-1", lostConnections},
	})
	checkGone(t, s.lab)
}

// healthyFor is how long all must be well to be taken for healed. A Consul server that
// came back with another address and leads takes itself out and in again for it, at
// the look at all members that it has each minute.
const healthyFor = 80 * time.Second

// awaitHealed waits until what failed on the hosts is over in all stacks: a run
// waits for those only that it changed after that.
func awaitHealed(t *testing.T, l *lab.Lab, file string) {
	t.Helper()
	began, since := time.Now(), time.Now() // since: all is well
	for time.Since(since) < healthyFor {
		out, err := l.Rmqprov(t.Context(), "verify", file).CombinedOutput()
		if err != nil {
			since = time.Now()
		}
		if err != nil && time.Since(began) > 5*time.Minute {
			t.Fatalf("not healed %s after the run: %v\n%s", time.Since(began).Round(time.Second), err, out)
		}
		time.Sleep(time.Second) // only verify tells whether all is well, and only who asks it
	}
	t.Logf("healed %s after the run", since.Sub(began).Round(time.Second))
}

// befall runs a verb until it is done. A run that no fault befell must not fail.
func (s *stops) befall(t *testing.T, verb string, args []string, faults []fault) {
	t.Helper()
	began := time.Now()
	for runs := 1; ; runs++ {
		left := len(faults)
		r := start(t, s.lab, verb, args[0], args[1:]...)
		faults = s.watch(t, r, faults)
		status, err := r.End()
		if err != nil {
			t.Fatal(err)
		}
		if status == 0 {
			t.Logf("%s: %d runs in %s", verb, runs, time.Since(began).Round(time.Second))
			break
		}
		t.Logf("%s: status %d\n%s", verb, status, r.Failures())
		if len(faults) == left {
			t.Fatalf("%s failed, and nothing befell the hosts\n%s", verb, r.Stderr())
		}
		awaitHosts(t, s.lab)
	}
	for _, f := range faults {
		t.Errorf("%s never came to %s of %s", verb, f.kind, f.step)
	}
}

// watch lets faults befall the hosts at their moments, and returns those whose
// moments did not come.
func (s *stops) watch(t *testing.T, r *lab.Run, faults []fault) []fault {
	t.Helper()
	faults = slices.Clone(faults)
	for {
		e, more, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return faults
		}
		i := slices.IndexFunc(faults, func(f fault) bool { return f.at(e) })
		if i < 0 {
			continue
		}
		f := faults[i]
		faults = slices.Delete(faults, i, i+1)
		t.Logf("at %s of %s, %s", e.Kind, e.Step, f.host)
		f.befall(t, s.lab, f.host)
	}
}

// lostConnections ends every SSH connection of a host, and what they carry: the
// processes with the user's rights only, for sshd turns away for a while from where
// those of root's were that a signal ended (PerSourcePenalties).
func lostConnections(t *testing.T, l *lab.Lab, host string) {
	t.Helper()
	if _, err := l.Root(t.Context(), host, "pkill -KILL -f '^sshd.*: ec2-user@'\n"); err != nil {
		t.Fatal(err)
	}
}

// outage is how long a network is away: longer than the swarm waits for a sign
// of life of a node, which is 15 s.
const outage = 20 * time.Second

func lostNetwork(t *testing.T, l *lab.Lab, host string) {
	t.Helper()
	do(t, l, "cut", host)
	time.Sleep(outage)
	do(t, l, "heal", host)
}

func powerCut(t *testing.T, l *lab.Lab, host string) {
	t.Helper()
	do(t, l, "kill", host)
	do(t, l, "start", host)
}

func dockerRestart(t *testing.T, l *lab.Lab, host string) {
	t.Helper()
	if _, err := l.Root(t.Context(), host, "systemctl restart docker\n"); err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, l *lab.Lab, verb, host string) {
	t.Helper()
	if err := l.Do(t.Context(), verb, host); err != nil {
		t.Fatal(err)
	}
}

// awaitHosts waits until every host lets its user in: an operator runs nothing
// before that.
func awaitHosts(t *testing.T, l *lab.Lab) {
	t.Helper()
	for _, h := range l.Hosts() {
		deadline := time.Now().Add(5 * time.Minute)
		for {
			out, err := l.SSH(t.Context(), h, "true").CombinedOutput()
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s does not let its user in: %v\n%s", h.Name, err, out)
			}
			time.Sleep(time.Second)
		}
	}
}
