package remote

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
)

const maxHops = 8

// bastion is a host that others are reached through. All hosts of the process
// that go through it share it, and with it its one connection.
type bastion struct {
	key  string
	host *Host
	uses int // guarded by bastions
}

var bastions = struct {
	sync.Mutex
	byKey map[string]*bastion
}{byKey: map[string]*bastion{}}

// reachBastion connects the bastion that the settings name, if any;
// h.connecting is held.
func (h *Host) reachBastion(ctx context.Context) error {
	if h.settings.jump == "" || h.settings.jumpsToItself() {
		return nil
	}
	if h.via == nil {
		hop, err := h.target.hop(*h.settings)
		if err != nil {
			return fmt.Errorf("%s: %w", h.settings.who(), err)
		}
		h.via = shareBastion(hop)
	}
	if err := h.via.host.Connect(ctx); err != nil {
		return fmt.Errorf("%s: reaching its bastion: %w", h.settings.who(), err)
	}
	return nil
}

// checkHops follows the way to a host through the configuration. It must end
// before any bastion is connected: those that wait for each other would wait
// for ever.
func checkHops(t Target, s settings) error {
	who := s.who()
	for range maxHops {
		if s.jump == "" || s.jumpsToItself() {
			return nil
		}
		var err error
		if t, err = t.hop(s); err != nil {
			return fmt.Errorf("%s: %w", who, err)
		}
		if s, err = resolve(t); err != nil {
			return fmt.Errorf("%s: its bastion: %w", who, err)
		}
	}
	return fmt.Errorf("%s: more than %d bastions one behind another: does ProxyJump go round in a circle?", who, maxHops)
}

// hop returns the last bastion before the host; those before it are its own.
func (t Target) hop(s settings) (Target, error) {
	before, last := "", s.jump
	if i := strings.LastIndex(last, ","); i >= 0 {
		before, last = last[:i], last[i+1:]
	}
	hop, err := parseHop(last)
	if err != nil {
		return Target{}, err
	}
	hop.Jump, hop.ConfigFile, hop.Passphrase = before, t.ConfigFile, t.Passphrase
	hop.DialTimeout = t.DialTimeout
	if !t.Pinned {
		hop.HostKeys, hop.KnownHosts = t.HostKeys, t.KnownHosts
	}
	hop.hopIdentity = cmp.Or(t.Identity, t.hopIdentity)
	return hop, nil
}

// parseHop reads [ssh://][user@]host[:port].
func parseHop(text string) (Target, error) {
	place := strings.TrimPrefix(strings.TrimSpace(text), "ssh://")
	var t Target
	if i := strings.LastIndex(place, "@"); i >= 0 {
		t.User, place = place[:i], place[i+1:]
	}
	t.Address = strings.Trim(place, "[]")
	if host, port, err := net.SplitHostPort(place); err == nil {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return t, fmt.Errorf("jump host %q: port %q is not a number from 1 to 65535", text, port)
		}
		t.Address, t.Port = host, n
	}
	if t.Address == "" {
		return t, fmt.Errorf("jump host %q: write [user@]host[:port]", text)
	}
	return t, nil
}

// jumpsToItself says whether the bastion is the host: `Host *` with a
// ProxyJump names the bastion for the bastion too.
func (s settings) jumpsToItself() bool {
	hop, err := parseHop(s.jump[strings.LastIndex(s.jump, ",")+1:])
	return err == nil && (hop.Address == s.host || hop.Address == s.alias) && (hop.Port == 0 || hop.Port == s.port)
}

// shareBastion returns the bastion for a target, made if no host uses it yet.
func shareBastion(t Target) *bastion {
	key := fmt.Sprintf("%s|%s|%d|%s|%s|%s|%s|%s", t.Address, t.User, t.Port, t.Jump, t.hopIdentity, t.KnownHosts, t.HostKeys, t.ConfigFile)
	bastions.Lock()
	defer bastions.Unlock()
	b := bastions.byKey[key]
	if b == nil {
		b = &bastion{key: key, host: NewHost(t)}
		bastions.byKey[key] = b
	}
	b.uses++
	return b
}

// release closes the bastion when nobody uses it any more. A nil bastion has
// nothing to release.
func (b *bastion) release() {
	if b == nil {
		return
	}
	bastions.Lock()
	b.uses--
	last := b.uses == 0
	if last {
		delete(bastions.byKey, b.key)
	}
	bastions.Unlock()
	if last {
		b.host.Close()
	}
}
