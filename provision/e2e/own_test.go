//go:build lab

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// ownBlocks add a stack of the user's own: a compose file, and an image that is
// built from a folder.
const ownBlocks = `
image "orders" { build = "./orders" }

stack "orders" {
  compose    = "./orders.yml"
  depends_on = [stack.haproxy]
  inputs     = { REPLICAS = 3 }
}
`

// ownFiles are what the blocks name: a HAProxy that answers with a file of its
// image, one of its configs and one of its secrets.
var ownFiles = map[string]string{
	"orders.yml": `services:
  orders:
    image: orders
    networks: [default, prod]
    ports:
      - { target: 8099, published: 8099, mode: host }
    configs: [greeting]
    secrets: [token]
    healthcheck:
      test: [CMD, bash, -c, "exec 3<> /dev/tcp/127.0.0.1/8099"]
      interval: 1s
    deploy:
      replicas: ${REPLICAS}
      endpoint_mode: dnsrr
      placement: { max_replicas_per_node: 1 }
      update_config: { order: stop-first }
networks:
  prod: { external: true }
configs: { greeting: { file: ./greeting } }
secrets: { token: { file: ./token } }
`,
	"greeting": "hello\n",
	"token":    "0wn-Token.1123\n",
	"orders/Dockerfile": `FROM haproxy:3.0
COPY haproxy.cfg /usr/local/etc/haproxy/haproxy.cfg
COPY version /version
`,
	"orders/haproxy.cfg": `defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend orders
  bind :8099
  http-request return content-type text/plain file /version if { path /version }
  http-request return content-type text/plain file /run/secrets/token if { path /token }
  http-request return content-type text/plain file /greeting
`,
	"orders/version":       "one\n",
	"orders/notes.txt":     "not a part of the image\n",
	"orders/.dockerignore": "*.txt\n",
}

// A compose file alone, with an image that no registry has, beside the playbooks:
// it runs, nothing is done twice, what changes rolls, drift is mended, and it goes.
func TestOwnStack(t *testing.T) {
	l := bringUp(t, "e2e-own", "10.98.0.0/24", "debian13", "debian12", "amzn2023")
	for name, text := range ownFiles {
		writeOwn(t, l, name, text)
	}
	extend(t, l, ownBlocks)
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Run("it answers on every host", func(t *testing.T) { testOwnAnswers(t, l, "hello", "one") })
	t.Run("it came after what it depends on", func(t *testing.T) { testOwnCameLast(t, l) })
	t.Run("apply again changes nothing", func(t *testing.T) { testNothingToDo(t, l) })
	t.Run("what is left out of the folder changes nothing", func(t *testing.T) {
		writeOwn(t, l, "orders/notes.txt", "other notes\n")
		comparePlan(t, planned(t, l), nil)
	})
	t.Run("a config changes", func(t *testing.T) { testOwnConfig(t, l) })
	t.Run("the image's folder changes", func(t *testing.T) { testOwnImage(t, l) })
	t.Run("a change that fails is put back", func(t *testing.T) { testOwnRollback(t, l) })
	t.Run("drift is mended", func(t *testing.T) { testOwnDrift(t, l) })
	t.Run("it goes with its block", func(t *testing.T) { testOwnLeaves(t, l) })
	t.Run("destroy takes it away", func(t *testing.T) { testOwnDestroyed(t, l) })
}

func writeOwn(t *testing.T, l *lab.Lab, name, text string) {
	t.Helper()
	path := filepath.Join(l.Dir(), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func extend(t *testing.T, l *lab.Lab, blocks string) {
	t.Helper()
	if err := l.Extend(blocks); err != nil {
		t.Fatal(err)
	}
}

func testOwnAnswers(t *testing.T, l *lab.Lab, greeting, version string) {
	t.Helper()
	for _, h := range l.Hosts() {
		for path, want := range map[string]string{"": greeting, "version": version, "token": "0wn-Token.1123"} {
			url := "http://" + h.Address + ":8099/" + path
			status, body, err := lab.Get(t.Context(), url, "", "")
			if err != nil || status != http.StatusOK || strings.TrimSpace(string(body)) != want {
				t.Errorf("%s: status %d, %v, %q; want %q", url, status, err, body, want)
			}
		}
	}
}

func testOwnCameLast(t *testing.T, l *lab.Lab) {
	const when = "docker service inspect -f '{{.Spec.Name}} {{.CreatedAt}}' orders_orders haproxy_haproxy | sort -k2 -k3 | cut -d' ' -f1"
	out, err := l.Root(t.Context(), "node-1", when)
	if err != nil || strings.Fields(out)[1] != "orders_orders" {
		t.Errorf("the services were made in the order %q, %v", out, err)
	}
}

// mend wants a plan of these steps, and after an apply nothing more.
func mend(t *testing.T, l *lab.Lab, steps map[string]string) {
	t.Helper()
	comparePlan(t, planned(t, l), steps)
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := planned(t, l); len(left) > 0 {
		t.Errorf("the plan after an apply is not empty: %v", left)
	}
}

func testOwnConfig(t *testing.T, l *lab.Lab) {
	writeOwn(t, l, "greeting", "good day\n")
	const file = "content of /etc/rmqprov/rmq/stacks/orders/configs/greeting differs"
	mend(t, l, map[string]string{
		"stack.orders.config.greeting": "no config of that content", "stack.orders.service.orders": "differs in",
		"config.*": "nothing refers to it", "host.node-1.stackfiles": file, "host.node-2.stackfiles": file, "host.node-3.stackfiles": file,
	})
	testOwnAnswers(t, l, "good day", "one")
}

func testOwnImage(t *testing.T, l *lab.Lab) {
	before := builtImages(t, l)
	writeOwn(t, l, "orders/version", "two\n")
	mend(t, l, map[string]string{
		"host.node-1.image.rmqprov.*": "", "host.node-2.image.rmqprov.*": "", "host.node-3.image.rmqprov.*": "",
		"stack.orders.service.orders": "Image",
	})
	testOwnAnswers(t, l, "good day", "two")
	if after := builtImages(t, l); after == before || len(strings.Fields(after)) != len(l.Hosts()) {
		t.Errorf("the hosts' images are\n%s\nand were\n%s", after, before)
	}
}

// builtImages are the built images of all hosts, one a line.
func builtImages(t *testing.T, l *lab.Lab) string {
	t.Helper()
	return onAll(t, l, "docker image ls --format '{{.Repository}}:{{.Tag}}' | grep ^rmqprov.invalid/ || true")
}

func testOwnRollback(t *testing.T, l *lab.Lab) {
	good := ownFiles["orders.yml"]
	bad := strings.NewReplacer("8099\"]", "8099 && false\"]", "interval: 1s", "interval: 1s\n      retries: 1", "stop-first }", "stop-first, failure_action: rollback }").Replace(good)
	writeOwn(t, l, "orders.yml", bad)
	out, err := l.Rmqprov(t.Context(), "apply", "--yes", l.Inventory()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the swarm put the change of service orders_orders back") {
		t.Errorf("an apply whose change was put back: %v\n%s", err, out)
	}
	writeOwn(t, l, "orders.yml", good)
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	testOwnAnswers(t, l, "good day", "two")
}

func testOwnDrift(t *testing.T, l *lab.Lab) {
	if out, err := l.Root(t.Context(), "node-1", "docker service rm orders_orders"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const removed = `for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
	docker image ls -q --filter reference='rmqprov.invalid/*' | xargs docker rmi -f && exit
	sleep 1
done
exit 1`
	if out, err := l.Root(t.Context(), "node-2", removed); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mend(t, l, map[string]string{
		"host.node-2.image.rmqprov.*": "image not on the host", "stack.orders.service.orders": "not deployed",
	})
	testOwnAnswers(t, l, "good day", "two")
	if out, err := l.Root(t.Context(), "node-1", "docker service scale -d orders_orders=1"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mend(t, l, map[string]string{"stack.orders.service.orders": "differs in Mode.Replicated.Replicas"})
	testOwnAnswers(t, l, "good day", "two")
}

// ownThings are what is the stack's own, in the swarm and on hosts.
var ownThings = regexp.MustCompile(`(?m)^(?:.* )?(?:orders_|rmqprov\.invalid/).*$`)

func ownLeft(t *testing.T, l *lab.Lab) []string {
	t.Helper()
	const look = `docker image ls --format 'image {{.Repository}}:{{.Tag}}'; docker ps -a --format 'container {{.Names}}'
docker info -f '{{.Swarm.LocalNodeState}}' | grep -q ^active || exit 0
docker service ls --format 'service {{.Name}}'; docker config ls --format 'config {{.Name}}'; docker secret ls --format 'secret {{.Name}}'
docker network ls --format 'network {{.Name}}'
`
	return ownThings.FindAllString(onAll(t, l, look), -1)
}

// awaitNoneLeft gives containers that have ended the time until Docker removes them.
func awaitNoneLeft(t *testing.T, l *lab.Lab) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		if left := ownLeft(t, l); len(left) > 0 {
			return fmt.Errorf("these stay: %q", left)
		}
		return nil
	})
}

// eventually waits until something holds.
func eventually(t *testing.T, within time.Duration, holds func() error) {
	t.Helper()
	var err error
	// What is waited for is outside, and tells nobody when it comes about: it is asked each second.
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(time.Second) {
		if err = holds(); err == nil {
			return
		}
	}
	t.Errorf("after %s: %v", within, err)
}

func testOwnLeaves(t *testing.T, l *lab.Lab) {
	if len(ownLeft(t, l)) == 0 {
		t.Fatal("nothing of it is found while it is there")
	}
	extend(t, l, "")
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitNoneLeft(t, l)
	testNothingToDo(t, l)
}

func testOwnDestroyed(t *testing.T, l *lab.Lab) {
	extend(t, l, ownBlocks)
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	testOwnAnswers(t, l, "good day", "two")
	destroy(t, l)
	awaitNoneLeft(t, l)
}
