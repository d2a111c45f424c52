package cloud

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"github.com/rmqprov/rmqprov/inventory"
)

// Patience bounds the wait for consoles. EC2 shows one some minutes after the
// boot.
type Patience struct {
	Within time.Duration // 0: 5 minutes
	Every  time.Duration // 0: 5 seconds
	Say    func(string)  // told once what is waited for; nil: nobody is
}

const (
	consoleWithin   = 5 * time.Minute
	consoleEvery    = 5 * time.Second
	consoleParallel = 8
)

// ConsoleKeys reads the host keys that instances printed to their consoles, by
// instance id, all at the same time. Where a console is not there yet it waits.
// The error has those of all hosts; keys of the others are returned with it.
func (c *EC2) ConsoleKeys(ctx context.Context, hosts []inventory.Host, p Patience) (map[string][]ssh.PublicKey, error) {
	p = p.orDefault()
	ctx, cancel := context.WithTimeoutCause(ctx, p.Within, fmt.Errorf("its console has shown no host keys within %s", p.Within))
	defer cancel()
	w := consoles{cloud: c, patience: p, keys: map[string][]ssh.PublicKey{}}
	errs := make([]error, len(hosts))
	var g errgroup.Group
	for i, h := range hosts {
		g.Go(func() error {
			errs[i] = w.read(ctx, h)
			return nil
		})
	}
	_ = g.Wait() // its functions return no error: each host's stands in errs
	return w.keys, errors.Join(errs...)
}

func (p Patience) orDefault() Patience {
	if p.Within == 0 {
		p.Within = consoleWithin
	}
	if p.Every == 0 {
		p.Every = consoleEvery
	}
	if p.Say == nil {
		p.Say = func(string) {}
	}
	return p
}

type consoles struct {
	cloud    *EC2
	patience Patience

	mu   sync.Mutex
	said bool
	keys map[string][]ssh.PublicKey
}

func (w *consoles) read(ctx context.Context, h inventory.Host) error {
	doing := fmt.Sprintf("host %s: reading its host keys from the console of %s", h.Name, h.InstanceID)
	client, _, err := w.cloud.client(ctx, regionOf(h))
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	for {
		console, err := consoleOf(ctx, client, h.InstanceID)
		if err != nil {
			return consoleFailure(ctx, doing, err)
		}
		if ok, err := console.usable(); err != nil {
			return fmt.Errorf("%s: %w. %s", doing, err, byHand)
		} else if ok {
			w.found(h, console.Keys)
			return nil
		}
		w.waiting(h)
		if err := pause(ctx, w.patience.Every); err != nil {
			return consoleFailure(ctx, doing, err)
		}
	}
}

// byHand is the way out where the console cannot help.
const byHand = `Record the keys yourself (EC2's serial console or Session Manager shows them: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) and set host_keys = "known_hosts"`

// consoleFailure tells the end of patience from an interrupt.
func consoleFailure(ctx context.Context, doing string, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w. If it has just been started, run this again. Else: %s", doing, context.Cause(ctx), byHand)
	}
	return failure(doing, err)
}

func (w *consoles) found(h inventory.Host, keys []ssh.PublicKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys[h.InstanceID] = keys
}

func (w *consoles) waiting(h inventory.Host) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.said {
		w.said = true
		w.patience.Say(fmt.Sprintf("waiting up to %s for the console of %s (%s), and of others that have just started, to show their host keys", w.patience.Within, h.Name, h.InstanceID))
	}
}

// consoleOf reads a console: what EC2 kept of the boot, and where that has no
// keys what it shows now, which not every type of instance can tell.
func consoleOf(ctx context.Context, client *ec2.Client, id string) (Console, error) {
	text, err := consoleText(ctx, client, id, false)
	if err != nil {
		return Console{}, err
	}
	console, err := ParseConsole(text)
	if err != nil || len(console.Keys) > 0 {
		return console, err
	}
	text, err = consoleText(ctx, client, id, true)
	if has(err, "UnsupportedOperation") {
		return console, nil
	}
	if err != nil {
		return Console{}, err
	}
	return ParseConsole(text)
}

// asking bounds the consoles that are asked for at once, and with them how soon
// EC2 throttles.
var asking = make(chan struct{}, consoleParallel)

func consoleText(ctx context.Context, client *ec2.Client, id string, latest bool) (string, error) {
	select {
	case asking <- struct{}{}:
		defer func() { <-asking }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	in := &ec2.GetConsoleOutputInput{InstanceId: &id}
	if latest {
		in.Latest = aws.Bool(true)
	}
	out, err := client.GetConsoleOutput(ctx, in)
	if err != nil {
		return "", err
	}
	text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(aws.ToString(out.Output)), ""))
	if err != nil {
		return "", fmt.Errorf("EC2's answer is not base64: %w", err)
	}
	return string(text), nil
}

// Trust makes the known_hosts file hold the host keys of the hosts, so that SSH
// can believe it and nothing else. An instance that is pinned there stays so: a
// console is read once in an instance's life. One at an address that another
// instance had before takes its place.
func (c *EC2) Trust(ctx context.Context, inv *inventory.Inventory, file string, p Patience) error {
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
	keys, err := c.ConsoleKeys(ctx, missing, p)
	if len(keys) > 0 || pinned.outdated(inv) {
		err = errors.Join(err, pin(file, inv, keys))
	}
	return err
}
