package cloud

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/rmqprov/rmqprov/inventory"
)

// KnownHostsFile is where the host keys of a cluster's instances are pinned:
// the inventory's known_hosts, or a file in the user's configuration folder.
func KnownHostsFile(inv *inventory.Inventory) (string, error) {
	if inv.SSH.KnownHosts != "" {
		return inv.SSH.KnownHosts, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("finding a place for the hosts' keys: %w; write known_hosts in the ssh block", err)
	}
	return filepath.Join(dir, "rmqprov", inv.Cluster.Name, "known_hosts"), nil
}

// KeyMismatch says that an instance shows another key than the one that was
// pinned for it. An instance keeps its keys for life.
type KeyMismatch struct {
	Host, Instance, File string
	Seen, Pinned         ssh.PublicKey
}

func (e *KeyMismatch) Error() string {
	return fmt.Sprintf("host %s: THE HOST KEY HAS CHANGED: the console of %s shows %s %s, and %s has %s for that instance. An instance keeps its keys: find out who changed them. If that was you, remove the lines that end in %s from that file",
		e.Host, e.Instance, e.Seen.Type(), ssh.FingerprintSHA256(e.Seen), e.File, ssh.FingerprintSHA256(e.Pinned), e.Instance)
}

// pinLine is a line of a known_hosts file. Lines that rmqprov pinned end in an
// instance's id; instance is "" in all others, and those are left as they are.
type pinLine struct {
	text     string // with its newline
	names    []string
	key      ssh.PublicKey
	instance string
}

type pins []pinLine

var instanceComment = regexp.MustCompile(`^i-[0-9a-f]{8,17}$`)

func readPins(file string) (pins, error) {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the pinned host keys: %w", err)
	}
	var all pins
	for line := range bytes.Lines(text) {
		l := pinLine{text: strings.TrimRight(string(line), "\n") + "\n"}
		marker, names, key, comment, _, err := ssh.ParseKnownHosts(line)
		if err == nil && marker == "" && instanceComment.MatchString(comment) {
			l.names, l.key, l.instance = names, key, comment
		}
		all = append(all, l)
	}
	return all, nil
}

func (p pins) keysOf(instance string) []ssh.PublicKey {
	var keys []ssh.PublicKey
	for _, l := range p {
		known := slices.ContainsFunc(keys, func(have ssh.PublicKey) bool { return same(have, l.key) })
		if l.instance != "" && l.instance == instance && !known {
			keys = append(keys, l.key)
		}
	}
	return keys
}

// outdated says whether lines are not about the hosts as they are: an instance
// has another address, or an address another instance.
func (p pins) outdated(inv *inventory.Inventory) bool {
	return slices.ContainsFunc(inv.Hosts, func(h inventory.Host) bool {
		name := knownName(h, inv.SSH)
		found := false
		for _, l := range p {
			if l.instance != "" && slices.Contains(l.names, name) {
				if l.instance != h.InstanceID {
					return true
				}
				found = true
			}
		}
		return !found && len(p.keysOf(h.InstanceID)) > 0
	})
}

// knownName is what known_hosts calls a host.
func knownName(h inventory.Host, s inventory.SSH) string {
	address, port := strings.ToLower(h.Address), sshPort(h, s)
	if port == 22 {
		return address
	}
	return "[" + address + "]:" + strconv.Itoa(port)
}

// pin records keys by instance, and gives every line the address that its
// instance has now. Runs that pin at the same time wait for one another; the
// file is replaced as a whole.
func pin(file string, inv *inventory.Inventory, keys map[string][]ssh.PublicKey) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("pinning host keys: %w", err)
	}
	unlock, err := lock(file + ".lock")
	if err != nil {
		return fmt.Errorf("pinning host keys: %w", err)
	}
	defer unlock()
	have, err := readPins(file)
	if err != nil {
		return err
	}
	text, err := have.with(file, inv, keys)
	if err != nil {
		return err
	}
	if err := replace(file, text); err != nil {
		return fmt.Errorf("pinning host keys: %w", err)
	}
	return nil
}

// with returns the file's new text. After a mismatch there is none: the file is
// to stay as it is.
func (p pins) with(file string, inv *inventory.Inventory, keys map[string][]ssh.PublicKey) (string, error) {
	var b strings.Builder
	for _, l := range p {
		if l.instance == "" || !p.replaced(l, inv) {
			b.WriteString(l.text)
		}
	}
	for _, h := range inv.Hosts {
		pinned := p.keysOf(h.InstanceID)
		if err := mismatch(h, file, pinned, keys[h.InstanceID]); err != nil {
			return "", err
		}
		if len(pinned) == 0 {
			pinned = keys[h.InstanceID]
		}
		for _, key := range pinned {
			fmt.Fprintf(&b, "%s %s %s\n", knownName(h, inv.SSH), bytes.TrimSpace(ssh.MarshalAuthorizedKey(key)), h.InstanceID)
		}
	}
	return b.String(), nil
}

// replaced says whether a line gives way to those that are written anew: it is
// about a host's instance, or about an address that a host has now.
func (p pins) replaced(l pinLine, inv *inventory.Inventory) bool {
	return slices.ContainsFunc(inv.Hosts, func(h inventory.Host) bool {
		return l.instance == h.InstanceID || slices.Contains(l.names, knownName(h, inv.SSH))
	})
}

func mismatch(h inventory.Host, file string, pinned, shown []ssh.PublicKey) error {
	for _, key := range shown {
		for _, have := range pinned {
			if have.Type() == key.Type() && !same(have, key) {
				return &KeyMismatch{Host: h.Name, Instance: h.InstanceID, File: file, Seen: key, Pinned: have}
			}
		}
	}
	return nil
}

// lock is held by the kernel for as long as the process has the file open, so
// that none is ever left behind.
func lock(file string) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", file, err)
	}
	return func() { f.Close() }, nil
}

func replace(file, text string) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".known_hosts-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
