package cloud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rmqprov/rmqprov/inventory"
)

// Scan asks a host for the keys that it shows to anybody who connects. They
// prove nothing until something else speaks for them.
type Scan func(ctx context.Context, h inventory.Host) ([]ssh.PublicKey, error)

// Trust makes the known_hosts file hold the host keys of the hosts, so that SSH
// can believe it and nothing else. An instance that is pinned there stays so: a
// console is read once in an instance's life. One at an address that another
// instance had before takes its place.
//
// A console that shows only fingerprints does not tell the keys: then scan asks
// the host, and what it shows must fit. It is nil where hosts are reached
// directly.
func (c *EC2) Trust(ctx context.Context, inv *inventory.Inventory, file string, p Patience, scan Scan) error {
	for _, h := range inv.Hosts {
		if h.InstanceID == "" {
			return fmt.Errorf(`host %s: host_keys = "ec2" reads the host keys from an instance's console, and this host has no instance_id: write it, or set host_keys = "known_hosts"`, h.Name)
		}
	}
	pinned, err := readPins(file)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(inv.Hosts), func(h inventory.Host) bool { return len(pinned.keysOf(h.InstanceID)) > 0 })
	if scan == nil {
		scan = scanner{inv.SSH}.scan
	}
	keys, err := c.consoleKeys(ctx, missing, p, scan)
	if len(keys) > 0 || pinned.outdated(inv) {
		err = errors.Join(err, pin(file, inv, keys))
	}
	return err
}

// consoleKeys returns the keys that consoles speak for, by instance id, and the
// errors of the other hosts.
func (c *EC2) consoleKeys(ctx context.Context, hosts []inventory.Host, p Patience, scan Scan) (map[string][]ssh.PublicKey, error) {
	consoles, err := c.Consoles(ctx, hosts, p)
	errs := []error{err}
	keys := map[string][]ssh.PublicKey{}
	for _, h := range hosts {
		console, ok := consoles[h.InstanceID]
		if !ok {
			continue
		}
		found, err := console.keysOf(ctx, h, scan)
		errs = append(errs, err)
		if err == nil {
			keys[h.InstanceID] = found
		}
	}
	return keys, errors.Join(errs...)
}

// keysOf returns the keys that the console shows or, where it has fingerprints
// only, those that the host shows and the fingerprints fit.
func (c Console) keysOf(ctx context.Context, h inventory.Host, scan Scan) ([]ssh.PublicKey, error) {
	if len(c.Keys) > 0 {
		return c.Keys, nil
	}
	shown, err := scan(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("host %s: the console of %s has only fingerprints, and asking the host for its keys failed: %w", h.Name, h.InstanceID, err)
	}
	fit := slices.DeleteFunc(slices.Clone(shown), func(k ssh.PublicKey) bool { return !c.Has(k) })
	if len(fit) == 0 {
		return nil, fmt.Errorf("host %s: what answers at %s shows %s, and the console of %s has %v: another machine has that address, or somebody stands between", h.Name, h.Address, prints(shown), h.InstanceID, c.Fingerprints)
	}
	return fit, nil
}

func prints(keys []ssh.PublicKey) []string {
	var all []string
	for _, k := range keys {
		all = append(all, ssh.FingerprintSHA256(k))
	}
	return all
}

// scanner connects to hosts without a way round.
type scanner struct{ ssh inventory.SSH }

// scanWithin bounds one connection.
const scanWithin = 10 * time.Second

// scanned are the types of key that are asked for, each by a connection of its
// own: a server shows one.
var scanned = [][]string{
	{ssh.KeyAlgoED25519},
	{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
	{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
}

func (s scanner) scan(ctx context.Context, h inventory.Host) ([]ssh.PublicKey, error) {
	var keys []ssh.PublicKey
	var errs []error
	for _, algorithms := range scanned {
		key, err := s.shown(ctx, h, algorithms)
		if key != nil {
			keys = append(keys, key)
		} else {
			errs = append(errs, err)
		}
	}
	if len(keys) == 0 {
		return nil, errors.Join(errs...)
	}
	return keys, nil
}

// errSeen breaks a connection off once the key has been seen, before anything
// is said about who connects.
var errSeen = errors.New("the key has been seen")

func (s scanner) shown(ctx context.Context, h inventory.Host, algorithms []string) (ssh.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, scanWithin)
	defer cancel()
	address := net.JoinHostPort(h.Address, strconv.Itoa(sshPort(h, s.ssh)))
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var shown ssh.PublicKey
	_, _, _, err = ssh.NewClientConn(conn, address, &ssh.ClientConfig{
		HostKeyAlgorithms: algorithms,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			shown = key
			return errSeen
		},
	})
	return shown, err
}

func sshPort(h inventory.Host, s inventory.SSH) int {
	for _, port := range []int{h.Port, s.Port} {
		if port != 0 {
			return port
		}
	}
	return 22
}
