package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/hosts"
)

func TestMissing(t *testing.T) {
	subnet := netip.MustParsePrefix("10.78.0.0/24")
	host := func(name, address string) hosts.Host {
		return hosts.Host{Name: name, Address: netip.MustParseAddr(address)}
	}
	tests := map[string]struct {
		have    []hosts.Host
		n       int
		systems []string
		want    string
	}{
		"a new lab": {nil, 3, []string{"debian13"}, `
node-1 debian13 10.78.0.11 ap-southeast-1a
node-2 debian13 10.78.0.12 ap-southeast-1b
node-3 debian13 10.78.0.13 ap-southeast-1c`},
		"systems in turn": {nil, 4, []string{"debian12", "amzn2023", "amzn2"}, `
node-1 debian12 10.78.0.11 ap-southeast-1a
node-2 amzn2023 10.78.0.12 ap-southeast-1b
node-3 amzn2 10.78.0.13 ap-southeast-1c
node-4 debian12 10.78.0.14 ap-southeast-1a`},
		"one is missing": {[]hosts.Host{host("node-1", "10.78.0.11"), host("node-3", "10.78.0.21")}, 3, []string{"debian13"}, `
node-2 debian13 10.78.0.12 ap-southeast-1b`},
		"a replaced host holds the address": {[]hosts.Host{host("node-1", "10.78.0.12")}, 2, []string{"debian13"}, `
node-2 debian13 10.78.0.13 ap-southeast-1b`},
		"none is missing": {[]hosts.Host{host("node-1", "10.78.0.11")}, 1, []string{"debian13"}, ``},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			specs, err := missing(test.have, test.n, test.systems, subnet)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, s := range specs {
				fmt.Fprintf(&got, "\n%s %s %s %s", s.Name, s.OS, s.Address, s.Zone)
			}
			if diff := cmp.Diff(test.want, got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func labHosts() []hosts.Host {
	var all []hosts.Host
	for i, address := range []string{"10.78.0.11", "10.78.0.21", "10.78.0.13"} {
		all = append(all, hosts.Host{
			Name: fmt.Sprintf("node-%d", i+1), Address: netip.MustParseAddr(address),
			HostKeys: []string{fmt.Sprintf("ssh-ed25519 AAAA%d", i+1), fmt.Sprintf("ecdsa-sha2-nistp256 BBBB%d", i+1)},
		})
	}
	return all
}

var labEndpoints = endpoints{Mirror: "http://10.78.0.1:5000", EC2: "http://10.78.0.1:5001", Region: region}

func TestLabInventory(t *testing.T) {
	got, err := labInventory("/home/me/$it's ${here}", labHosts(), labEndpoints)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/lab.hcl", got)
}

func TestKnownHosts(t *testing.T) {
	golden(t, "testdata/known_hosts", knownHosts(labHosts()))
}

func TestLabEnv(t *testing.T) {
	golden(t, "testdata/env", labEnv("/home/me/it's here", labEndpoints))
}

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestEnsureKeyKeepsTheKeyThereIs(t *testing.T) {
	d := stateDir(t.TempDir() + "/lab")
	first, isNew, err := d.ensureKey()
	if err != nil || !isNew {
		t.Fatalf("new: %v, %v", isNew, err)
	}
	info, err := os.Stat(d.key())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v, %v", info.Mode(), err)
	}
	again, isNew, err := d.ensureKey()
	if err != nil || isNew || string(again.PublicKey().Marshal()) != string(first.PublicKey().Marshal()) {
		t.Errorf("the second time: new %v, %v", isNew, err)
	}
}

func TestRemoveKeepsWhatOthersWrote(t *testing.T) {
	d := stateDir(t.TempDir())
	if _, _, err := d.ensureKey(); err != nil {
		t.Fatal(err)
	}
	if err := d.write(labHosts(), labEndpoints); err != nil {
		t.Fatal(err)
	}
	other := string(d) + "/mine"
	if err := os.WriteFile(other, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := d.remove(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(string(d))
	if err != nil || len(entries) != 1 || entries[0].Name() != "mine" {
		t.Errorf("left: %v, %v", entries, err)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if err := d.remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(string(d)); !os.IsNotExist(err) {
		t.Errorf("an empty directory stays: %v", err)
	}
}
