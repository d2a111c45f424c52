package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rmqprov/rmqprov/provision/remote"
)

// Locked is the error of a cluster that another run works on.
type Locked struct {
	Host   string // where the lock was found taken
	Holder string // what the holder wrote of itself: who, where, since when
}

func (l *Locked) Error() string {
	return fmt.Sprintf("another run works on this cluster: %s (so says %s)\n→ nothing was touched; wait for it, or use --lock-wait; the lock is gone when that process is", l.Holder, l.Host)
}

// lockStatus is the exit status of lockScript when the lock is taken.
const lockStatus = 75

// lockScript holds a lock for as long as its stdin says that the run lives. The
// kernel frees it with the process, however that ends, so that no lock is ever
// left behind. Arguments: the cluster, and what to tell those who find it taken.
// The turn is held for the moment between the two only: who finds the lock taken
// must read who took it, and not who had it before.
const lockScript = `
lock=/run/rmqprov-$1.lock
exec 8>>"$lock.turn" 9>>"$lock"
flock 8
flock -n 9 || { cat "$lock" >&2; exit 75; }
printf '%s\n' "$2" >"$lock"
exec 8>&-
echo held
while timeout 60 sh -c 'read -r _' 9>&-; do :; done
`

// Lock makes this run the only one on the cluster and returns how to let go.
// Every manager is locked, the first one first: so of several runs at once, one
// wins. Where unreachable hosts are planned around, a majority of the managers
// will do: any two majorities have a manager in common. While another has the
// lock it is tried again for up to wait.
func (s *Session) Lock(ctx context.Context, wait time.Duration) (release func(), err error) {
	deadline := time.Now().Add(wait)
	for {
		release, err = s.tryLock(ctx)
		var locked *Locked
		if !errors.As(err, &locked) || time.Now().After(deadline) {
			return release, err
		}
		if perr := pause(ctx, time.Second); perr != nil {
			return nil, errors.Join(err, perr)
		}
	}
}

func (s *Session) tryLock(ctx context.Context) (func(), error) {
	managers := s.inv.Managers()
	holder := fmt.Sprintf("%s since %s", s.options.By, time.Now().UTC().Format(time.RFC3339))
	there := slices.Clone(managers)
	if s.options.AllowUnreachable {
		there = slices.DeleteFunc(there, s.isUnseen)
	}
	if 2*len(there) <= len(managers) {
		return nil, fmt.Errorf("taking the cluster's lock: only %d of %d managers can be reached, and it takes a majority\n→ nothing was touched; bring one of the others back", len(there), len(managers))
	}
	first, err := s.lockOn(ctx, there[0], holder)
	if err != nil {
		return nil, err
	}
	releases := make([]func(), len(there))
	errs := make([]error, len(there))
	releases[0] = first
	var rest sync.WaitGroup
	for i, name := range there[1:] {
		rest.Go(func() { releases[i+1], errs[i+1] = s.lockOn(ctx, name, holder) })
	}
	rest.Wait()
	release := func() { letGo(releases) }
	if err := errors.Join(errs...); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// letGo releases all locks that are held, at the same time.
func letGo(releases []func()) {
	var all sync.WaitGroup
	for _, r := range releases {
		if r != nil {
			all.Go(r)
		}
	}
	all.Wait()
}

func (s *Session) lockOn(ctx context.Context, host, holder string) (func(), error) {
	release, _, err := s.hosts[host].ssh.Hold(ctx, remote.Command{
		Argv: []string{"sh", "-c", lockScript, "rmqprov-lock", s.inv.Cluster.Name, holder}, Sudo: true,
	})
	var exit *remote.ExitError
	if errors.As(err, &exit) && exit.Status == lockStatus {
		return nil, &Locked{Host: host, Holder: strings.TrimSpace(exit.Stderr)}
	}
	if err != nil {
		return nil, fmt.Errorf("taking the cluster's lock on %s: %w", host, err)
	}
	return release, nil
}
