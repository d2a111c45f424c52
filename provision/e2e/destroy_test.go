//go:build lab

package e2e

import (
	"bufio"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

const (
	keptQueue    = "kept"
	keptMessages = 10
)

// foreign things are on the first host, or in the swarm.
const (
	addForeign = `
docker service inspect foreign >/dev/null 2>&1 ||
	docker service create -d -q --name foreign --constraint node.hostname==node-1 --endpoint-mode dnsrr haproxy:3.0 sleep 7d
docker node update --label-add foreign=1 node-1
docker network create -d overlay foreign
echo foreign | docker config create foreign -
echo foreign | docker secret create foreign -
docker volume create foreign
sed -i 's/^{/{"shutdown-timeout": 20,/' /etc/docker/daemon.json
echo foreign >/etc/foreign
`
	removeForeign = `
docker service rm foreign
docker config rm foreign
docker secret rm foreign
for try in 1 2 3 4 5 6 7 8 9 10; do
	docker network rm foreign && exit
	sleep 1
done
`
)

func testDestroy(t *testing.T, l *lab.Lab) {
	if err := lab.Keep(t.Context(), l.Hosts()[0], adminPassword(t, l), keptQueue, keptMessages); err != nil {
		t.Fatal(err)
	}
	t.Run("killed and done again, beside what is foreign", func(t *testing.T) { testDestroyBeside(t, l) })
	t.Run("killed and done again, the swarm too", func(t *testing.T) { testDestroySwarm(t, l) })
	t.Run("apply brings the data back", func(t *testing.T) { testOldData(t, l) })
	t.Run("with the volumes", func(t *testing.T) { testDestroyVolumes(t, l) })
	t.Run("with Docker", func(t *testing.T) { testDestroyDocker(t, l) })
}

// testDestroyBeside destroys a cluster whose swarm holds foreign things too.
func testDestroyBeside(t *testing.T, l *lab.Lab) {
	if _, err := l.Root(t.Context(), "node-1", "set -e\n"+addForeign); err != nil {
		t.Fatal(err)
	}
	awaitTask(t, l, "foreign")
	before, volumes := things(t, l), volumes(t, l)
	killDestroyAt(t, l, "service.rabbitmq_")
	destroy(t, l)
	want := map[string]string{}
	for name, value := range before {
		switch kind, rest, _ := strings.Cut(name, " "); {
		case strings.HasPrefix(rest, "foreign"), kind == "unit", rest == "ingress":
			want[name] = value
		case kind == "node":
			want[name] = ownLabels.ReplaceAllString(value, "")
		}
	}
	want["file node-1 /etc/docker/daemon.json"] = ""
	awaitSame(t, l, want, []string{"file node-1 /etc/docker/daemon.json"})
	if text := onAll(t, l, "cat /etc/docker/daemon.json 2>/dev/null || true"); !regexp.MustCompile(`^{\s*"shutdown-timeout": 20\s*}\s*$`).MatchString(text) {
		t.Errorf("the hosts' daemon.json hold %s", text)
	}
	compareVolumes(t, l, volumes)
}

// ownLabels are rmqprov's labels among those of a node, in JSON.
var ownLabels = regexp.MustCompile(`,?"rmqprov\.[^"]*":"[^"]*"`)

// testDestroySwarm takes away what is foreign, and lets rmqprov take the rest.
func testDestroySwarm(t *testing.T, l *lab.Lab) {
	if _, err := l.Root(t.Context(), "node-1", removeForeign); err != nil {
		t.Fatal(err)
	}
	volumes := volumes(t, l)
	killDestroyAt(t, l, "host.node-2.swarm")
	destroy(t, l)
	if out := destroy(t, l); !strings.Contains(out, "Nothing of this cluster is there to take away") {
		t.Errorf("a destroy after all says\n%s", out)
	}
	const state = "docker info -f '{{.Swarm.LocalNodeState}}'; systemctl is-enabled docker"
	if got := onAll(t, l, state); got != strings.Repeat("inactive\nenabled\n", len(l.Hosts())) {
		t.Errorf("the hosts' Docker says %q", got)
	}
	if got := onAll(t, l, "docker ps -q; ls /etc/rmq-limits /etc/rmqprov/rmq 2>/dev/null || true"); got != "" {
		t.Errorf("there are still %s", got)
	}
	compareVolumes(t, l, volumes)
}

func testOldData(t *testing.T, l *lab.Lab) {
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := lab.Kept(t.Context(), l.Hosts()[1], adminPassword(t, l), keptQueue, keptMessages); err != nil {
		t.Errorf("of %d messages that were confirmed before: %v", keptMessages, err)
	}
	testViews(t, l)
	testVerdicts(t, l)
}

func testDestroyVolumes(t *testing.T, l *lab.Lab) {
	destroy(t, l, "--volumes")
	if got := onAll(t, l, "docker volume ls -q -f label=rmqprov.cluster; docker ps -q"); got != "" {
		t.Errorf("there are still %s", got)
	}
	if got := onAll(t, l, "docker volume ls -q -f name=foreign; cat /etc/foreign 2>/dev/null || true"); got != "foreign\nforeign\n" {
		t.Errorf("of what is foreign there is %q", got)
	}
}

func testDestroyDocker(t *testing.T, l *lab.Lab) {
	destroy(t, l, "--docker")
	const left = `dpkg-query -W -f '${Package} ${Status}\n' 'docker*' 'containerd*' runc 2>/dev/null | grep -v 'not-installed$'
command -v docker dockerd containerd runc
ls -d /etc/docker /etc/rmqprov /var/lib/rmqprov 2>/dev/null
find /var/lib/docker /var/lib/containerd -mindepth 1 2>/dev/null
systemctl list-units --plain --no-legend 'docker*' 'containerd*' | grep -v '\.mount'
true
`
	if got := onAll(t, l, left); got != "" {
		t.Errorf("of Docker there is still\n%s", got)
	}
	if got := onAll(t, l, "cat /etc/foreign 2>/dev/null || true"); got != "foreign\n" {
		t.Errorf("of what is foreign there is %q", got)
	}
	if out := destroy(t, l, "--docker", "--volumes"); !strings.Contains(out, "Nothing of this cluster is there to take away") {
		t.Errorf("a destroy after all says\n%s", out)
	}
}

func destroy(t *testing.T, l *lab.Lab, flags ...string) string {
	t.Helper()
	args := append(append([]string{"destroy", "--yes", "--lock-wait", "1m"}, flags...), l.Inventory())
	out, err := l.Rmqprov(t.Context(), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("rmqprov destroy %v: %v\n%s", flags, err, out)
	}
	return string(out)
}

// killCommandAt starts a run with --json and kills it when it starts a step whose id begins so.
func killCommandAt(t *testing.T, cmd *exec.Cmd, step string) {
	t.Helper()
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
		t.Errorf("%s ended before it was killed: %v", cmd, err)
	}
	if err := cmd.Wait(); !found {
		t.Fatalf("%s never started a step %s…: %v", cmd, step, err)
	}
}

func killDestroyAt(t *testing.T, l *lab.Lab, step string) {
	t.Helper()
	killCommandAt(t, l.Rmqprov(t.Context(), "destroy", "--yes", "--json", l.Inventory()), step)
}

// onAll runs a script on all hosts, one after the other.
func onAll(t *testing.T, l *lab.Lab, script string) string {
	t.Helper()
	var all strings.Builder
	for _, h := range l.Hosts() {
		out, err := l.Root(t.Context(), h.Name, script+"\n")
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(out)
	}
	return all.String()
}

// volumes are the named volumes by host, with when each was made.
func volumes(t *testing.T, l *lab.Lab) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, h := range l.Hosts() {
		out, err := l.Root(t.Context(), h.Name, "docker volume ls -q | grep -v '^[0-9a-f]\\{64\\}$' | xargs -r docker volume inspect -f '{{.Name}} {{.CreatedAt}}'\n")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out) {
			name, made, _ := strings.Cut(strings.TrimSpace(line), " ")
			found[h.Name+" "+name] = made
		}
	}
	return found
}

func compareVolumes(t *testing.T, l *lab.Lab, want map[string]string) {
	t.Helper()
	if len(want) < 6 {
		t.Errorf("there were the volumes %v only", slices.Sorted(maps.Keys(want)))
	}
	if differ := differences(want, volumes(t, l), regexp.MustCompile(`^$`)); len(differ) > 0 {
		t.Errorf("volumes changed:\n%s", strings.Join(differ, "\n"))
	}
}

// awaitTask waits until a service has a task that runs.
func awaitTask(t *testing.T, l *lab.Lab, service string) {
	t.Helper()
	for deadline := time.Now().Add(sameWithin); time.Now().Before(deadline); time.Sleep(time.Second) {
		for name := range things(t, l) {
			if strings.HasPrefix(name, "task "+service+" ") {
				return
			}
		}
	}
	t.Fatalf("service %s does not run within %s", service, sameWithin)
}
