//go:build lab

package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

func testConsul(t *testing.T, l *lab.Lab) {
	leaders := map[string]bool{}
	for _, h := range l.Hosts() {
		leader, peers, err := lab.ConsulPeers(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		if leader == "" || len(peers) != 3 {
			t.Errorf("the Consul server of %s: leader %q, peers %v", h.Name, leader, peers)
		}
		leaders[leader] = true
	}
	if len(leaders) != 1 {
		t.Errorf("the servers name %d leaders: %v", len(leaders), leaders)
	}
}

func testViews(t *testing.T, l *lab.Lab) {
	if err := l.Whole(t.Context()); err != nil {
		t.Error(err)
	}
}

func testMembers(t *testing.T, l *lab.Lab) {
	want := []string{"rabbit@rabbitmq-01", "rabbit@rabbitmq-02", "rabbit@rabbitmq-03"}
	password := adminPassword(t, l)
	for _, h := range l.Hosts() {
		got, err := lab.RunningMembers(t.Context(), h, password)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("through %s run %v, want %v", h.Name, got, want)
		}
	}
}

func testRelay(t *testing.T, l *lab.Lab) {
	hosts, password := l.Hosts(), adminPassword(t, l)
	for i, from := range hosts {
		to := hosts[(i+1)%len(hosts)]
		queueType, err := lab.Relay(t.Context(), from, to, password, "e2e-"+from.Name)
		if err != nil {
			t.Fatal(err)
		}
		if queueType != "quorum" {
			t.Errorf("a queue declared without a type became a %s queue, want quorum", queueType)
		}
	}
}

func testStatistics(t *testing.T, l *lab.Lab) {
	password := secret(t, l, "haproxy/stats_password")
	for _, h := range l.Hosts() {
		url := "http://" + h.Address + ":1936/"
		if status, _, err := lab.Get(t.Context(), url, "", ""); err != nil || status != http.StatusUnauthorized {
			t.Errorf("%s without a password: status %d, %v; want %d", url, status, err, http.StatusUnauthorized)
		}
		status, body, err := lab.Get(t.Context(), url, "admin", password)
		if err != nil || status != http.StatusOK || !strings.Contains(string(body), "Statistics Report") {
			t.Errorf("%s with the password: status %d, %v, %d bytes", url, status, err, len(body))
		}
	}
}

func testGuest(t *testing.T, l *lab.Lab) {
	for _, h := range l.Hosts() {
		if lab.Login(h, "guest", "guest") == nil {
			t.Errorf("guest may log in by AMQP through %s", h.Name)
		}
		url := "http://" + h.Address + ":15672/api/overview"
		if status, _, err := lab.Get(t.Context(), url, "guest", "guest"); err != nil || status != http.StatusUnauthorized {
			t.Errorf("%s as guest: status %d, %v; want %d", url, status, err, http.StatusUnauthorized)
		}
	}
}

func testVerdicts(t *testing.T, l *lab.Lab) {
	for _, args := range [][]string{
		{"verify", l.Inventory()},
		{"status", l.Inventory()},
		{"plan", "--detailed-exitcode", l.Inventory()},
	} {
		if out, err := l.Rmqprov(t.Context(), args...).CombinedOutput(); err != nil {
			t.Errorf("rmqprov %s: %v\n%s", args[0], err, out)
		}
	}
}

func testNothingToDo(t *testing.T, l *lab.Lab) {
	objects, connections := snapshot(t, l), logins(t, l)
	out, err := l.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "Nothing to do") {
		t.Errorf("apply again:\n%s", out)
	}
	for host, n := range logins(t, l) {
		if made := n - connections[host]; made != 1 {
			t.Errorf("apply made %d SSH connections to %s, want 1", made, host)
		}
	}
	for host, after := range snapshot(t, l) {
		if after != objects[host] {
			t.Errorf("%s changed; before:\n%s\nafter:\n%s", host, objects[host], after)
		}
	}
}

// snapshot is what an apply could have changed: the versions of all objects of the swarm, the
// containers, and the files with their times.
func snapshot(t *testing.T, l *lab.Lab) map[string]string {
	t.Helper()
	const look = `for kind in service config secret node; do
	docker $kind ls -q | sort | xargs -r docker $kind inspect -f '{{.ID}} {{.Version.Index}}'
done
docker network ls -q --no-trunc | sort
docker ps -aq --no-trunc | sort | xargs -r docker inspect -f '{{.Id}} {{.State.StartedAt}}'
find /etc/rmqprov /etc/docker -type f -printf '%p %T@ %m %u\n' | sort
systemctl show -p ActiveEnterTimestampMonotonic docker
`
	shots := map[string]string{}
	for _, h := range l.Hosts() {
		out, err := l.Root(t.Context(), h.Name, look)
		if err != nil {
			t.Fatal(err)
		}
		shots[h.Name] = out
	}
	return shots
}
