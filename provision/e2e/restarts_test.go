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

// A change of daemon.json restarts Docker on one host after the other, with the
// members drained. rmqprov is killed at every event of that, and in the middle of
// writing and restarting. In the end no member is left drained, no stack taken for
// settled that is not, and every Docker runs with what its file says.
func (s *stops) testRestarts(t *testing.T) {
	s.finish(t, "apply", s.lab.Inventory())
	file := withDockerSetting(t, s.lab)

	for wait := 40 * time.Millisecond; s.killWithin(t, file, "host.node-1.daemon", wait); wait += wait / 2 {
		t.Logf("killed %s after the start of host.node-1.daemon", wait)
	}
	k := &killer{lab: s.lab, seen: map[boundary]bool{}, sample: func(b boundary) bool {
		return strings.HasSuffix(b.step, ".begin") || strings.HasSuffix(b.step, ".daemon") || strings.Contains(b.step, ".drain.")
	}}
	k.chain(t, "Docker restarts", "apply", file)
	t.Logf("killed at %d boundaries", k.killed)

	for _, h := range s.lab.Hosts() {
		stale, err := s.lab.Root(t.Context(), h.Name, dockerBeforeItsFile)
		if err != nil || stale != "" {
			t.Errorf("%s: %s %v", h.Name, stale, err)
		}
	}
	sameShape(t, "Docker restarts", withoutDaemon(s.applied), withoutDaemon(checkShape(t, s.lab, file)))
}

// dockerBeforeItsFile tells of a Docker that was started before its file was written.
const dockerBeforeItsFile = `
began=$(date -d "$(systemctl show docker -p ExecMainStartTimestamp --value)" +%s)
written=$(stat -c %Y /etc/docker/daemon.json)
[ "$began" -ge "$written" ] || echo "Docker runs since $began, and its file is of $written"
grep -q '"max-size": "20m"' /etc/docker/daemon.json || cat /etc/docker/daemon.json
`

// killWithin kills a run a while after it has begun a step; one that has no such
// step, as soon as it begins any: false.
func (s *stops) killWithin(t *testing.T, file, step string, wait time.Duration) bool {
	t.Helper()
	r, planned := start(t, s.lab, "apply", file), false
	for {
		e, more, err := r.Next()
		if err != nil || !more {
			status, _ := r.End()
			t.Fatalf("the run ended with status %d before it was killed: %v\n%s\n%s", status, err, r.Failures(), r.Stderr())
		}
		planned = planned || e.Kind == "planned" && e.Step == step
		if e.Kind != "started" || planned && e.Step != step {
			continue
		}
		if planned {
			time.Sleep(wait) // the case itself: how far into the step the kill comes; a step has no events within
		}
		if err := r.Kill(); err != nil {
			t.Fatal(err)
		}
		return planned
	}
}

// withDockerSetting writes the lab's inventory with another setting of Docker, which
// a running one does not take over.
func withDockerSetting(t *testing.T, l *lab.Lab) string {
	t.Helper()
	text, err := os.ReadFile(l.Inventory())
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(text), "docker {\n")
	if !found {
		t.Fatalf("%s has no block docker", l.Inventory())
	}
	file := filepath.Join(l.Dir(), "restarts.hcl")
	if err := os.WriteFile(file, []byte(before+"docker {\n  log_max_size     = \"20m\"\n"+after), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// withoutDaemon leaves out what daemon.json is to differ in.
func withoutDaemon(shape map[string]string) map[string]string {
	out := map[string]string{}
	for host, text := range shape {
		var kept []string
		for line := range strings.Lines(text) {
			if !strings.HasSuffix(line, "  /etc/docker/daemon.json\n") {
				kept = append(kept, line)
			}
		}
		out[host] = strings.Join(kept, "")
	}
	return out
}
