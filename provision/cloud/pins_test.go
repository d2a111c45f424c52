package cloud

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/rmqprov/rmqprov/inventory"
)

// lines describes a known_hosts file in few words: NAME TYPE INSTANCE.
func lines(t *testing.T, file string) string {
	t.Helper()
	all, err := readPins(file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, l := range all {
		if l.instance == "" {
			b.WriteString(l.text)
		} else {
			b.WriteString(strings.Join(l.names, ",") + " " + l.key.Type() + " " + l.instance + "\n")
		}
	}
	return b.String()
}

func TestPin(t *testing.T) {
	const mine = "# mine\n10.0.0.99 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl by hand\n"
	current, old := console(t, "current").Keys, console(t, "old").Keys
	inv := func(hosts ...inventory.Host) *inventory.Inventory { return &inventory.Inventory{Hosts: hosts} }
	host := func(address, id string) inventory.Host {
		return inventory.Host{Name: "node-1", Address: address, InstanceID: id}
	}
	file := filepath.Join(t.TempDir(), "rmq", "known_hosts")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.TrimSuffix(mine, "\n")), 0o600); err != nil { // no newline at its end
		t.Fatal(err)
	}
	for _, step := range []struct {
		what string
		inv  *inventory.Inventory
		keys map[string][]ssh.PublicKey
		want string
	}{
		{"first", inv(host("10.0.0.1", "i-00000001")), map[string][]ssh.PublicKey{"i-00000001": current},
			"10.0.0.1 ecdsa-sha2-nistp256 i-00000001\n10.0.0.1 ssh-ed25519 i-00000001\n"},
		{"another address", inv(host("10.0.0.2", "i-00000001")), nil,
			"10.0.0.2 ecdsa-sha2-nistp256 i-00000001\n10.0.0.2 ssh-ed25519 i-00000001\n"},
		{"new instance on the old address", inv(host("10.0.0.2", "i-00000002")), map[string][]ssh.PublicKey{"i-00000002": old},
			"10.0.0.2 ssh-rsa i-00000002\n10.0.0.2 ecdsa-sha2-nistp256 i-00000002\n"},
		{"another port", inv(inventory.Host{Address: "10.0.0.2", Port: 2222, InstanceID: "i-00000002"}), nil,
			"[10.0.0.2]:2222 ssh-rsa i-00000002\n[10.0.0.2]:2222 ecdsa-sha2-nistp256 i-00000002\n"},
		{"a second host", inv(host("10.0.0.3", "i-00000003")), map[string][]ssh.PublicKey{"i-00000003": current[:1]},
			"[10.0.0.2]:2222 ssh-rsa i-00000002\n[10.0.0.2]:2222 ecdsa-sha2-nistp256 i-00000002\n10.0.0.3 ecdsa-sha2-nistp256 i-00000003\n"},
	} {
		if err := pin(file, step.inv, step.keys); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if got := lines(t, file); got != mine+step.want {
			t.Errorf("%s:\n%swant\n%s", step.what, got, mine+step.want)
		}
		if after, _ := readPins(file); after.outdated(step.inv) {
			t.Errorf("%s: what was just written is called outdated", step.what)
		}
	}
}

func TestPinRefusesAnotherKeyOfTheSameInstance(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known_hosts")
	inv := &inventory.Inventory{Hosts: []inventory.Host{{Name: "node-1", Address: "10.0.0.1", InstanceID: "i-00000001"}}}
	ecdsa, other := console(t, "current").Keys[:1], newKey(t)
	if err := pin(file, inv, map[string][]ssh.PublicKey{"i-00000001": {newKey(t), ecdsa[0]}}); err != nil {
		t.Fatal(err)
	}
	before := lines(t, file)
	err := pin(file, inv, map[string][]ssh.PublicKey{"i-00000001": {other}})
	if m, ok := errors.AsType[*KeyMismatch](err); !ok || !same(m.Seen, other) {
		t.Errorf("error %v", err)
	}
	if after := lines(t, file); after != before {
		t.Errorf("the file was changed:\n%s", after)
	}
}

func TestPinAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known_hosts")
	key := console(t, "current").Keys[:1]
	var all sync.WaitGroup
	for _, n := range "123456789" {
		all.Go(func() {
			id := "i-0000000" + string(n)
			inv := &inventory.Inventory{Hosts: []inventory.Host{{Address: "10.0.0." + string(n), InstanceID: id}}}
			if err := pin(file, inv, map[string][]ssh.PublicKey{id: key}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := strings.Count(lines(t, file), "\n"); n != 9 {
		t.Errorf("%d of 9 hosts are pinned", n)
	}
}

func TestKnownHostsFile(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", "/cfg")
	inv := &inventory.Inventory{Cluster: inventory.Cluster{Name: "rmq"}}
	if got, err := KnownHostsFile(inv); err != nil || got != filepath.FromSlash("/cfg/rmqprov/rmq/known_hosts") {
		t.Errorf("%s, %v", got, err)
	}
	inv.SSH.KnownHosts = "/here"
	if got, err := KnownHostsFile(inv); err != nil || got != "/here" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestOutdated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known_hosts")
	inv := func(address, id string) *inventory.Inventory {
		return &inventory.Inventory{Hosts: []inventory.Host{{Address: address, InstanceID: id}}}
	}
	if err := pin(file, inv("10.0.0.1", "i-00000001"), map[string][]ssh.PublicKey{"i-00000001": {newKey(t)}}); err != nil {
		t.Fatal(err)
	}
	have, err := readPins(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		address, id string
		want        bool
	}{
		{"10.0.0.1", "i-00000001", false},
		{"10.0.0.2", "i-00000001", true}, // it moved
		{"10.0.0.1", "i-00000002", true}, // another has its address, and must not be believed for its key
		{"10.0.0.2", "i-00000002", false},
	} {
		if got := have.outdated(inv(c.address, c.id)); got != c.want {
			t.Errorf("%s at %s: outdated is %v", c.id, c.address, got)
		}
	}
}
