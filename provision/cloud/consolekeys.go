package cloud

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
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

// Consoles reads the host keys that instances printed to their consoles, by
// instance id, all at the same time. Where a console is not there yet it waits.
// The error has those of all hosts; the consoles of the others are returned
// with it.
func (c *EC2) Consoles(ctx context.Context, hosts []inventory.Host, p Patience) (map[string]Console, error) {
	p = p.orDefault()
	ctx, cancel := context.WithTimeoutCause(ctx, p.Within, fmt.Errorf("its console has shown no host keys within %s", p.Within))
	defer cancel()
	w := consoles{cloud: c, patience: p, read: map[string]Console{}}
	errs := make([]error, len(hosts))
	var g errgroup.Group
	for i, h := range hosts {
		g.Go(func() error {
			errs[i] = w.await(ctx, h)
			return nil
		})
	}
	_ = g.Wait() // its functions return no error: each host's stands in errs
	return w.read, errors.Join(errs...)
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
	read map[string]Console
}

func (w *consoles) await(ctx context.Context, h inventory.Host) error {
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
			w.found(h, console)
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

func (w *consoles) found(h inventory.Host, c Console) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read[h.InstanceID] = c
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
