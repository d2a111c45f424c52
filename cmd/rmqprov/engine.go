package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"sync"

	"golang.org/x/term"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/state"
)

// observed is a session that has looked at its hosts.
type observed struct {
	*provision.Session
	want plan.Want
	got  state.Snapshot
}

// open makes a session; no host is dialled yet. Whoever calls it closes it.
func (a *app) open(want plan.Want, parallel int) (*provision.Session, error) {
	if err := notYet(want.Inventory); err != nil {
		return nil, err
	}
	return provision.Open(want.Inventory, provision.Options{
		Parallel: parallel, Passphrase: a.passphrase(), By: a.operator(), Version: a.Version,
	})
}

// notYet refuses what an inventory may say of EC2 and this version does not do:
// leaving it out in silence would leave ports closed, or keys unproven.
func notYet(inv *inventory.Inventory) error {
	switch {
	case len(inv.Discover) > 0:
		return errors.New("the inventory discovers hosts, which this version of rmqprov cannot do yet\n→ name them in host blocks; `rmqprov validate` checks the rest")
	case inv.SecurityGroup != nil:
		return errors.New("the inventory has a security_group block, which this version of rmqprov does not carry out yet\n→ take the block out, and open between the hosts 2377/tcp, 7946/tcp, 7946/udp and 4789/udp yourself")
	case inv.SSH.HostKeys == "ec2":
		return errors.New("host_keys = \"ec2\" is not carried out by this version of rmqprov yet\n→ take \"known_hosts\" and put the hosts' keys into that file, or \"accept-new\"")
	}
	return nil
}

// observe opens a session and looks at all hosts. Whoever calls it closes it.
func (a *app) observe(ctx context.Context, want plan.Want, parallel int) (*observed, error) {
	session, err := a.open(want, parallel)
	if err != nil {
		return nil, err
	}
	done := a.notice(fmt.Sprintf("Looking at %s …", count(len(want.Inventory.Hosts), "host", "hosts")))
	got, err := session.Observe(ctx, want)
	done()
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	return &observed{Session: session, want: want, got: got}, nil
}

// notice shows a line on a terminal until what it returns is called.
func (a *app) notice(text string) (done func()) {
	if !a.colour(a.StderrTerminal, a.noColour) {
		return func() {}
	}
	fmt.Fprint(a.Stderr, text)
	return func() { fmt.Fprint(a.Stderr, "\r\x1b[K") }
}

// operator is who runs this, for the record in the cluster.
func (a *app) operator() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}

// passphrase returns what asks for the passphrase of a key: one question at a
// time, and nobody to ask where there is no terminal.
func (a *app) passphrase() func(string) ([]byte, error) {
	in, ok := a.Stdin.(*os.File)
	if !ok || !a.interactive() {
		return nil
	}
	var one sync.Mutex
	return func(path string) ([]byte, error) {
		one.Lock()
		defer one.Unlock()
		fmt.Fprintf(a.Stderr, "\nPassphrase of %s: ", path)
		defer fmt.Fprintln(a.Stderr)
		return term.ReadPassword(int(in.Fd()))
	}
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// trouble names the hosts that could not be seen.
func (o *observed) trouble() error {
	var errs []error
	for _, h := range o.want.Inventory.Hosts {
		if err := o.hostError(h.Name); err != nil {
			errs = append(errs, fmt.Errorf("host %s could not be seen: %w", h.Name, err))
		}
	}
	return errors.Join(errs...)
}

// hostError says why a host could not be seen; nil when it was.
func (o *observed) hostError(name string) error {
	seen := o.got.Hosts[name]
	return cmp.Or(seen.Facts.Err, seen.Engine.Err)
}
