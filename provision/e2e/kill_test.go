//go:build lab && chaos

package e2e

import (
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

var (
	killAll  = flag.Bool("kill-all", false, "kill at every boundary, and not at a sample of them")
	killSeed = flag.String("kill-seed", "1", "chooses the sample of boundaries")
)

// sampled is how many boundaries there are for one that a sample has.
const sampled = 8

// A run may be stopped anywhere, by whatever it is: the next one finishes the
// work, and what then stands is what an undisturbed run leaves.
func TestStopAnywhere(t *testing.T) {
	l := bringUp(t, "kills", "10.86.0.0/24", "debian13")
	l.Password = "given-Password.2357"
	s := &stops{lab: l, changed: changedInventory(t, l)}
	undisturbed := &killer{lab: l, spare: true}
	s.applied, s.rolled = s.round(t, undisturbed)
	t.Run("killed", func(t *testing.T) { freshHosts(t, l); s.testKills(t) })
	t.Run("Docker restarts", func(t *testing.T) { freshHosts(t, l); s.testRestarts(t) })
	t.Run("hosts fail", func(t *testing.T) { freshHosts(t, l); s.testFaults(t) })
	t.Run("lock lost", func(t *testing.T) { freshHosts(t, l); s.testLostLocks(t) })
	t.Run("interrupted", func(t *testing.T) { freshHosts(t, l); s.testInterrupts(t) })
}

// stops has what an undisturbed apply leaves on each host, and what a rolling
// change after it leaves.
type stops struct {
	lab             *lab.Lab
	changed         string // the inventory of the rolling change
	applied, rolled map[string]string
}

// round applies, rolls a change through and destroys, and returns what stood in
// between.
func (s *stops) round(t *testing.T, k *killer) (applied, rolled map[string]string) {
	t.Helper()
	k.chain(t, "fresh", "apply", s.lab.Inventory())
	applied = checkShape(t, s.lab, s.lab.Inventory())
	k.chain(t, "roll", "apply", s.changed)
	checkWatermark(t, s.lab, "0.5")
	rolled = checkShape(t, s.lab, s.changed)
	k.chain(t, "destroy", "destroy", s.lab.Inventory(), "--volumes", "--docker")
	checkGone(t, s.lab)
	return applied, rolled
}

// rmqprov is killed between any two events of an apply, of a rolling change and
// of a destroy. Each run gets as far as the first boundary at which none was
// killed before, so that a chain of them does the work once.
//
// A kill may hide boundaries of the step that it hit, since the next run finds
// the step done. To see every one, the whole is repeated until it brings nothing
// new.
func (s *stops) testKills(t *testing.T) {
	t.Logf("seed %s, every boundary: %v", *killSeed, *killAll)
	k := &killer{lab: s.lab, seen: map[boundary]bool{}, sample: inSample}
	for round, before := 1, -1; k.killed > before; round++ {
		before = k.killed
		applied, rolled := s.round(t, k)
		t.Logf("round %d: killed at %d boundaries", round, k.killed-before)
		sameShape(t, "apply", s.applied, applied)
		sameShape(t, "rolling change", s.rolled, rolled)
		if !*killAll {
			return
		}
	}
}

// freshHosts puts bare hosts in the place of those that are there.
func freshHosts(t *testing.T, l *lab.Lab) {
	t.Helper()
	if err := l.Up(t.Context(), 3, "debian13"); err != nil {
		t.Fatal(err)
	}
}

// boundary is a moment between two events: just after the first event of a kind
// of a step, in one of the test's deeds.
type boundary struct{ deed, kind, step string }

func (b boundary) String() string { return b.deed + ": " + b.kind + " " + b.step }

// killer knows the boundaries at which runs were killed.
type killer struct {
	lab    *lab.Lab
	seen   map[boundary]bool
	sample func(boundary) bool
	spare  bool // at none
	killed int

	turnedAway int // runs that a host's sshd did not let in
}

// maxTurnedAway is how often in all an operator would try again where sshd turns
// him away, each time for the 10 s of a dial.
const maxTurnedAway = 20

// due says whether a run is to be killed at an event.
func (k *killer) due(t *testing.T, deed string, e lab.Event) bool {
	t.Helper()
	b := boundary{deed, e.Kind, e.Step}
	if e.Kind == "planned" { // they come all at once, before anything begins
		b.step = ""
	}
	if k.seen[b] || k.spare || e.Kind == "failed" || e.Kind == "skipped" {
		return false
	}
	k.seen[b] = true
	if !k.sample(b) {
		return false
	}
	k.killed++
	t.Log("killed at ", b)
	return true
}

func inSample(b boundary) bool {
	if *killAll {
		return true
	}
	h := fnv.New32a()
	fmt.Fprintln(h, *killSeed, b)
	return h.Sum32()%sampled == 0
}

// chain runs a verb again and again, until a run comes to its end.
func (k *killer) chain(t *testing.T, deed, verb, file string, flags ...string) {
	t.Helper()
	began, runs := time.Now(), 1
	for !k.run(t, deed, verb, file, flags...) {
		runs++
	}
	t.Logf("%s: %d runs in %s", deed, runs, time.Since(began).Round(time.Second))
}

// run returns whether the run came to its end.
func (k *killer) run(t *testing.T, deed, verb, file string, flags ...string) bool {
	t.Helper()
	r := start(t, k.lab, verb, file, flags...)
	for {
		e, more, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			break
		}
		if k.due(t, deed, e) {
			if err := r.Kill(); err != nil {
				t.Fatal(err)
			}
			return false
		}
	}
	status, err := r.End()
	if status != 0 && k.turnedAway < maxTurnedAway && lab.TurnedAway(r.Stderr()) {
		k.turnedAway++
		t.Logf("%s was turned away for the %dth time:\n%s", deed, k.turnedAway, r.Stderr())
		return false
	}
	if err != nil || status != 0 {
		t.Fatalf("%s after %d kills: status %d, %v\n%s\n%s", deed, k.killed, status, err, r.Failures(), r.Stderr())
	}
	return true
}

// start starts a run that waits for the lock: the one of a run that was just
// killed is gone a moment later.
func start(t *testing.T, l *lab.Lab, verb, file string, flags ...string) *lab.Run {
	t.Helper()
	r, err := l.Start(t.Context(), append([]string{verb, file, "--yes", "--json", "--lock-wait", "2m"}, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// changedInventory writes the lab's inventory with another setting of RabbitMQ:
// what its members read at their start.
func changedInventory(t *testing.T, l *lab.Lab) string {
	t.Helper()
	text, err := os.ReadFile(l.Inventory())
	if err != nil {
		t.Fatal(err)
	}
	const members = "    members        = 3\n"
	if !strings.Contains(string(text), members) {
		t.Fatalf("%s has no line %q", l.Inventory(), members)
	}
	file := filepath.Join(l.Dir(), "changed.hcl")
	changed := strings.Replace(string(text), members, members+"    watermark      = 0.5\n", 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// checkShape checks that the cluster is whole, that nothing is left to do and
// nothing lies about, and returns what stands on the hosts.
func checkShape(t *testing.T, l *lab.Lab, file string) map[string]string {
	t.Helper()
	for _, args := range [][]string{{"plan", "--detailed-exitcode", file}, {"verify", file}} {
		if out, err := l.Rmqprov(t.Context(), args...).CombinedOutput(); err != nil {
			t.Errorf("rmqprov %s: %v\n%s", args[0], err, out)
		}
	}
	if err := l.Whole(t.Context()); err != nil {
		t.Error(err)
	}
	noLitter(t, l)
	shape, err := l.Shape(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return shape
}

// noLitter checks that no run has left anything on a host. A process whose run
// is gone may need a moment to notice.
func noLitter(t *testing.T, l *lab.Lab) {
	t.Helper()
	var litter string
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		var err error
		if litter, err = l.Litter(t.Context()); err != nil {
			t.Fatal(err)
		}
		if litter == "" {
			return
		}
	}
	t.Errorf("left on the hosts:\n%s", litter)
}

func checkGone(t *testing.T, l *lab.Lab) {
	t.Helper()
	remains, err := l.Remains(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if remains != "" {
		t.Errorf("destroy has left:\n%s", remains)
	}
	noLitter(t, l)
}

func checkWatermark(t *testing.T, l *lab.Lab, want string) {
	t.Helper()
	got, err := l.Watermarks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for host, share := range got {
		if share != want {
			t.Errorf("the member on %s runs with watermark %s, want %s", host, share, want)
		}
	}
}

// sameShape checks that what stands is what an undisturbed run leaves.
func sameShape(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	for _, host := range slices.Sorted(maps.Keys(want)) {
		if got[host] != want[host] {
			t.Errorf("%s: %s differs from an undisturbed run\n%s", what, host, lineDiff(want[host], got[host]))
		}
	}
}

// lineDiff lists the lines that only one of two texts has.
func lineDiff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for _, line := range w {
		if !slices.Contains(g, line) {
			b.WriteString("- " + line + "\n")
		}
	}
	for _, line := range g {
		if !slices.Contains(w, line) {
			b.WriteString("+ " + line + "\n")
		}
	}
	return b.String()
}
