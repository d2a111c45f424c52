package remote

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// through returns a target for s behind bastions, all of whose keys are known.
func through(t *testing.T, s *server, hops ...*server) Target {
	target := s.target()
	var jump, known []string
	for _, hop := range append(hops, s) {
		hop.target() // starts it
		jump = append(jump, fmt.Sprintf("jumper@127.0.0.1:%d", hop.port()))
		known = append(known, keyLine(fmt.Sprintf("[127.0.0.1]:%d", hop.port()), hostKey(t).PublicKey()))
	}
	target.Jump = strings.Join(jump[:len(hops)], ",")
	target.KnownHosts = writeKnown(t, known...)
	return target
}

func TestHostsShareTheirBastions(t *testing.T) {
	checkLeaks(t)
	first, second := newServer(t), newServer(t)
	var hosts []*Host
	var servers []*server
	for range 4 {
		s := newServer(t)
		servers = append(servers, s)
		hosts = append(hosts, NewHost(through(t, s, first, second)))
	}
	// The way to each must be the same for the bastions to be.
	known := filepath.Join(t.TempDir(), "known_hosts")
	var wg sync.WaitGroup
	for i, h := range hosts {
		h.target.KnownHosts, h.target.HostKeys = known, AcceptNew
		wg.Go(func() {
			r, err := h.Run(t.Context(), Command{Script: "echo $$"})
			if err != nil {
				t.Error(i, err)
			}
			if len(r.Stdout) == 0 {
				t.Error("no output")
			}
		})
	}
	wg.Wait()
	for i, s := range append(servers, first, second) {
		if n := s.accepted.Load(); n != 1 {
			t.Errorf("server %d has %d connections", i, n)
		}
	}
	for _, h := range hosts {
		h.Close()
	}
	if len(bastions.byKey) != 0 {
		t.Errorf("%d bastions are left", len(bastions.byKey))
	}
}

func TestALostBastionIsDialledAgain(t *testing.T) {
	checkLeaks(t)
	bastion, s := newServer(t), newServer(t)
	h := NewHost(through(t, s, bastion))
	defer h.Close()
	for range 2 {
		if _, err := h.Run(t.Context(), Command{Argv: []string{"true"}}); err != nil {
			t.Error(err)
		}
		bastion.drop()
	}
	if n := bastion.accepted.Load(); n != 2 {
		t.Errorf("%d connections to the bastion", n)
	}
}

func TestJumpErrors(t *testing.T) {
	checkLeaks(t)
	bastion, s := newServer(t), newServer(t)
	good := through(t, s, bastion)
	changed := good
	changed.KnownHosts = writeKnown(t,
		keyLine(fmt.Sprintf("[127.0.0.1]:%d", bastion.port()), newSigner(t).PublicKey()),
		keyLine(fmt.Sprintf("[127.0.0.1]:%d", s.port()), hostKey(t).PublicKey()))
	behind := good
	behind.KnownHosts = writeKnown(t,
		keyLine(fmt.Sprintf("[127.0.0.1]:%d", bastion.port()), hostKey(t).PublicKey()),
		keyLine(fmt.Sprintf("[127.0.0.1]:%d", s.port()), newSigner(t).PublicKey()))
	closed := newServer(t)
	closed.listener.Close()
	gone := through(t, s, bastion)
	gone.Port = closed.port()
	for _, tt := range []struct {
		name      string
		target    Target
		want      string
		transient bool
	}{
		{"bastion's key changed", changed, fmt.Sprintf("reaching its bastion: jumper@127.0.0.1:%d: THE HOST KEY HAS CHANGED", bastion.port()), false},
		{"host's key changed", behind, fmt.Sprintf("node-1 (ec2-user@127.0.0.1:%d): THE HOST KEY HAS CHANGED", s.port()), false},
		{"host down", gone, "Connection refused", true},
		{"bad port", Target{Address: "a", Jump: "b:x", ConfigFile: "none"}, `port "x" is not a number`, false},
		{"circle", Target{Address: "a", ConfigFile: writeKnown(t, "Host a\nProxyJump b\nHost b\nProxyJump a")}, "round in a circle", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Dial(t.Context(), tt.target)
			if err == nil || !strings.Contains(err.Error(), tt.want) || IsTransient(err) != tt.transient {
				t.Errorf("%v (transient %v)", err, IsTransient(err))
			}
		})
	}
}

// `Host *` with a ProxyJump is meant for all but the bastion.
func TestTheBastionIsNotReachedThroughItself(t *testing.T) {
	config := writeKnown(t, "Host bastion", "HostName 203.0.113.7", "Host *", "ProxyJump bastion")
	for _, address := range []string{"bastion", "10.0.0.1"} {
		target := Target{Address: address, ConfigFile: config}
		s, err := resolve(target)
		must(t, err)
		must(t, checkHops(target, s))
		if s.jumpsToItself() != (address == "bastion") {
			t.Error(address)
		}
	}
}

func TestParseHop(t *testing.T) {
	for text, want := range map[string]Target{
		"bastion":                {Address: "bastion"},
		"me@bastion:2222":        {User: "me", Address: "bastion", Port: 2222},
		"ssh://me@bastion":       {User: "me", Address: "bastion"},
		"me@corp@bastion":        {User: "me@corp", Address: "bastion"},
		"[2001:db8::1]:22":       {Address: "2001:db8::1", Port: 22},
		"[2001:db8::1]":          {Address: "2001:db8::1"},
		" ec2-user@203.0.113.7 ": {User: "ec2-user", Address: "203.0.113.7"},
	} {
		got, err := parseHop(text)
		if err != nil || got.Address != want.Address || got.User != want.User || got.Port != want.Port {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
}

// What a host is pinned by says nothing of its bastion, which is checked by the
// user's own file.
func TestThePinsOfAHostAreNotItsBastions(t *testing.T) {
	checkLeaks(t)
	bastion, s := newServer(t), newServer(t)
	pins := s.target().KnownHosts
	target := through(t, s, bastion)
	own := writeKnown(t, keyLine(fmt.Sprintf("[127.0.0.1]:%d", bastion.port()), hostKey(t).PublicKey()))
	for _, c := range []struct{ name, own, want string }{
		{"known to the user", own, ""},
		{"known to nobody", writeKnown(t), "reaching its bastion: jumper@127.0.0.1"},
	} {
		target.KnownHosts, target.HostKeys, target.Pinned = pins, KnownHosts, true
		target.ConfigFile = filepath.Join(t.TempDir(), "config")
		must(t, os.WriteFile(target.ConfigFile, []byte("Host *\n  UserKnownHostsFile "+c.own+"\n  GlobalKnownHostsFile none\n"), 0o600))
		h := NewHost(target)
		err := h.Connect(t.Context())
		h.Close()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("bastion %s: %v", c.name, err)
		}
	}
}
