package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"sync"

	"golang.org/x/term"

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

// open finds the hosts that are still to be discovered and makes a session; no
// host is logged in to yet. Whoever calls it closes it.
func (a *app) open(ctx context.Context, want plan.Want, parallel int) (*observed, error) {
	want, err := a.find(ctx, want)
	if err != nil {
		return nil, err
	}
	if err := a.trust(ctx, want.Inventory); err != nil {
		return nil, err
	}
	session, err := provision.Open(want.Inventory, provision.Options{
		Parallel: parallel, Passphrase: a.passphrase(), By: a.operator(), Version: a.Version, Cloud: a.cloud,
		AllowUnreachable: want.AllowUnreachable,
	})
	return &observed{Session: session, want: want}, err
}

// observe opens a session and looks at all hosts. Whoever calls it closes it.
// What is wanted is known whole only from then on.
func (a *app) observe(ctx context.Context, want plan.Want, parallel int) (*observed, error) {
	seen, err := a.open(ctx, want, parallel)
	if err != nil {
		return nil, err
	}
	done := a.notice(fmt.Sprintf("Looking at %s …", count(len(seen.want.Inventory.Hosts), "host", "hosts")))
	seen.got, err = seen.Observe(ctx, seen.want)
	done()
	if err != nil {
		return nil, errors.Join(err, seen.Close())
	}
	if want.AllowUnreachable {
		seen.warn(a.Stderr)
	}
	return seen, nil
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

// warn says which hosts are planned around, and why they cannot be reached.
func (o *observed) warn(w io.Writer) {
	for _, h := range o.want.Inventory.Hosts {
		if seen := o.got.Hosts[h.Name]; seen.Unreachable {
			fmt.Fprintf(w, "rmqprov: warning: planning without host %s: %v\n", h.Name, seen.Facts.Err)
		}
	}
}

// hostError says why a host could not be seen; nil when it was.
func (o *observed) hostError(name string) error {
	seen := o.got.Hosts[name]
	return cmp.Or(seen.Facts.Err, seen.Engine.Err)
}
