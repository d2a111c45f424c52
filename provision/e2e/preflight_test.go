//go:build lab

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// Ports that a firewall closes are found before the swarm is touched, over TCP
// and UDP, by doctor and by apply; nothing is left of the search.
func TestClosedPortsAreFoundBeforeTheSwarmIs(t *testing.T) {
	l := bringUp(t, "pre", "10.90.0.0/24", "debian13", "amzn2023", "debian12")
	t.Run("bare hosts are well", func(t *testing.T) { testDoctorIsContent(t, l) })
	block(t, l, "block")
	t.Run("doctor names what is closed", func(t *testing.T) {
		out, err := l.Rmqprov(t.Context(), "doctor", l.Inventory()).Output()
		if err == nil {
			t.Error("doctor exits 0")
		}
		wantClosed(t, string(out))
	})
	t.Run("apply names it and starts no swarm", func(t *testing.T) {
		_, err := l.Apply(t.Context())
		if err == nil {
			t.Fatal("apply exits 0")
		}
		wantClosed(t, err.Error())
		for _, h := range l.Hosts() {
			state, err := l.Root(t.Context(), h.Name, "docker info --format '{{.Swarm.LocalNodeState}}'\n")
			if err != nil || strings.TrimSpace(state) != "inactive" {
				t.Errorf("the swarm of %s: %q, %v", h.Name, state, err)
			}
		}
	})
	block(t, l, "unblock")
	t.Run("opened again, all is well", func(t *testing.T) { testDoctorIsContent(t, l) })
	t.Run("nothing is left on the hosts", func(t *testing.T) {
		for _, h := range l.Hosts() {
			left, err := l.Root(t.Context(), h.Name, "ls -d /run/rmqprov-preflight-* /run/systemd/system/rmqprov-* 2>/dev/null; systemctl list-units --all --plain --no-legend 'rmqprov-*'\n")
			if err != nil || left != "" {
				t.Errorf("%s has %q, %v", h.Name, left, err)
			}
		}
	})
}

// closed are the ports that the test closes, by host.
var closed = []struct{ host, port string }{{"node-2", "7946/udp"}, {"node-3", "2377/tcp"}}

func block(t *testing.T, l *lab.Lab, verb string) {
	t.Helper()
	for _, c := range closed {
		if err := l.Do(t.Context(), verb, c.host, c.port); err != nil {
			t.Fatal(err)
		}
	}
}

// wantClosed looks for the hosts, the port and the rule of each closed port.
func wantClosed(t *testing.T, text string) {
	t.Helper()
	for _, want := range []string{
		"7946/udp (swarm nodes' gossip) is closed from node-1 (10.90.0.11) and node-3 (10.90.0.13) to node-2 (10.90.0.12): datagrams did not arrive",
		"security-group rule of node-2: inbound, protocol udp, port 7946, source the hosts' own group (or 10.90.0.11/32, 10.90.0.13/32)",
		"2377/tcp (swarm managers' control) is closed from node-1 (10.90.0.11) and node-2 (10.90.0.12) to node-3 (10.90.0.13): connections got no answer",
		"security-group rule of node-3: inbound, protocol tcp, port 2377, source the hosts' own group (or 10.90.0.11/32, 10.90.0.12/32)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no word of %q in\n%s", want, text)
		}
	}
}

// doctorWithin bounds a look at three hosts that are well; on a quiet machine it
// takes a second or two.
const doctorWithin = 20 * time.Second

func testDoctorIsContent(t *testing.T, l *lab.Lab) {
	began := time.Now()
	out, err := l.Rmqprov(t.Context(), "doctor", l.Inventory()).CombinedOutput()
	took := time.Since(began)
	t.Logf("doctor took %s", took)
	if err != nil || !strings.Contains(string(out), "Nothing is wrong.") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	if took > doctorWithin {
		t.Errorf("it took %s", took)
	}
}
