//go:build lab

package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/services"
	"github.com/rmqprov/rmqprov/inventory"
)

// machine is an instance with a console.
type machine struct {
	inventory.Host
	key ssh.PublicKey
}

func (m machine) console() string {
	return fmt.Sprintf("%s\n%s%s\nCloud-init v. 23.1 finished at X\n", keysBegin, ssh.MarshalAuthorizedKey(m.key), keysEnd)
}

var lastAddress atomic.Int32

func newMachine(t *testing.T, moto *services.EC2, name string) machine {
	t.Helper()
	address := netip.AddrFrom4([4]byte{10, 91, 0, byte(10 + lastAddress.Add(1))})
	m := machine{inventory.Host{Name: name, Address: address.String(), InstanceID: services.NewInstanceID()}, newKey(t)}
	err := moto.Run(t.Context(), netip.MustParsePrefix("10.91.0.0/24"), services.Instance{ID: m.InstanceID, Name: name, Address: address, Zone: region + "a"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := moto.Terminate(context.Background(), m.InstanceID); err != nil {
			t.Error(err)
		}
	})
	return m
}

func trusting(hosts ...inventory.Host) *inventory.Inventory {
	return &inventory.Inventory{Cluster: inventory.Cluster{Name: "rmq", Region: region}, Hosts: hosts}
}

var quick = Patience{Within: 30 * time.Second, Every: 50 * time.Millisecond}

func TestLabTrust(t *testing.T) {
	w, moto := connected(t)
	one, two := newMachine(t, moto, "node-1"), newMachine(t, moto, "node-2")
	if err := moto.SetConsole(one.InstanceID, one.console()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "known_hosts")
	var said []string
	patience := quick
	patience.Say = func(s string) {
		said = append(said, s)
		if err := moto.SetConsole(two.InstanceID, two.console()); err != nil { // it comes while it is waited for
			t.Error(err)
		}
	}
	inv := trusting(one.Host, two.Host)
	if err := New(inv).Trust(t.Context(), inv, file, patience, nil); err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "node-2") {
		t.Errorf("said %q", said)
	}
	want := fmt.Sprintf("%s ssh-ed25519 %s\n%s ssh-ed25519 %s\n", one.Address, one.InstanceID, two.Address, two.InstanceID)
	if got := lines(t, file); got != want {
		t.Errorf("pinned:\n%swant:\n%s", got, want)
	}
	asked := w.count("GetConsoleOutput")
	if err := New(inv).Trust(t.Context(), inv, file, quick, nil); err != nil || w.count("GetConsoleOutput") != asked {
		t.Errorf("what is pinned was asked for again; %v", err)
	}
	// Another instance takes the address of the first.
	three := newMachine(t, moto, "node-1")
	three.Address = one.Address
	if err := moto.SetConsole(three.InstanceID, three.console()); err != nil {
		t.Fatal(err)
	}
	inv = trusting(three.Host, two.Host)
	if err := New(inv).Trust(t.Context(), inv, file, quick, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || strings.Contains(string(got), one.InstanceID) || !strings.Contains(string(got), three.InstanceID) {
		t.Errorf("known_hosts is\n%s%v", got, err)
	}
}

func TestLabTrustIsBounded(t *testing.T) {
	_, moto := connected(t)
	silent, bare, good := newMachine(t, moto, "silent"), newMachine(t, moto, "bare"), newMachine(t, moto, "good")
	if err := errors.Join(
		moto.SetConsole(bare.InstanceID, "Cloud-init v. 23.1 finished at X\n"),
		moto.SetConsole(good.InstanceID, good.console())); err != nil {
		t.Fatal(err)
	}
	inv := trusting(silent.Host, bare.Host, good.Host)
	file := filepath.Join(t.TempDir(), "known_hosts")
	patience := quick
	patience.Within = 5 * time.Second
	err := New(inv).Trust(t.Context(), inv, file, patience, nil)
	for _, part := range []string{"host silent", "no host keys within 5s", "host bare", "printed no host keys", `host_keys = "known_hosts"`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error: %v\nwant in it: %s", err, part)
		}
	}
	if got := lines(t, file); !strings.Contains(got, good.InstanceID) {
		t.Errorf("the host that could be pinned was not: %q", got)
	}
}

func TestLabConsoleDenied(t *testing.T) {
	w, moto := connected(t)
	m := newMachine(t, moto, "node-1")
	w.fail("GetConsoleOutput", "UnauthorizedOperation", "You are not authorized to perform this operation.", -1)
	inv := trusting(m.Host)
	_, err := New(inv).Consoles(t.Context(), inv.Hosts, quick)
	if denied, ok := errors.AsType[*Denied](err); !ok || denied.Action != "ec2:GetConsoleOutput" {
		t.Errorf("error: %v", err)
	}
}

func TestLabTrustNeedsInstances(t *testing.T) {
	inv := trusting(inventory.Host{Name: "node-1", Address: "10.0.0.1"})
	if err := New(inv).Trust(t.Context(), inv, filepath.Join(t.TempDir(), "f"), quick, nil); err == nil || !strings.Contains(err.Error(), "instance_id") {
		t.Errorf("error: %v", err)
	}
}

func TestLabPushKey(t *testing.T) {
	_, moto := connected(t)
	m := newMachine(t, moto, "node-1")
	c := New(trusting())
	if err := c.PushKey(t.Context(), m.Host, "ec2-user", m.key); err != nil {
		t.Error(err)
	}
	if err := c.PushKey(t.Context(), inventory.Host{Name: "node-9"}, "ec2-user", m.key); err == nil || !strings.Contains(err.Error(), "no instance_id") {
		t.Errorf("a host that is no instance: %v", err)
	}
	gone := inventory.Host{Name: "node-8", InstanceID: services.NewInstanceID()}
	if err := c.PushKey(t.Context(), gone, "ec2-user", m.key); err == nil || !strings.Contains(err.Error(), "host node-8: pushing a login key for ec2-user to "+gone.InstanceID) {
		t.Errorf("an instance that is not there: %v", err)
	}
}
