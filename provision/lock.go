package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
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
// must read who took it, and not who had it before. That one is told to who takes it.
const lockScript = `
lock=/run/rmqprov-$1.lock
exec 8>>"$lock.turn" 9>>"$lock"
flock 8
flock -n 9 || { cat "$lock" >&2; exit 75; }
before=$(cat "$lock")
printf '%s\n' "$2" >"$lock"
exec 8>&-
printf '%s\n' "$before"
while timeout 60 sh -c 'read -r _' 9>&-; do :; done
`

// Lock makes this run the only one on the cluster and returns how to let go.
// Every manager is locked, the first one first: so of several runs at once, one
// wins. Where unreachable hosts are planned around, a majority of the managers
// will do: any two majorities have a manager in common. While another has the
// lock it is tried again for up to wait.
//
// A lock that is lost on the way, as when a manager's connection is cut, is taken
// again. Apply begins no step while it has less than a majority, and no more steps
// at all once another run has come in between.
func (s *Session) Lock(ctx context.Context, wait time.Duration) (release func(), err error) {
	deadline := time.Now().Add(wait)
	for {
		s.lock, err = s.tryLock(ctx)
		var locked *Locked
		switch {
		case err == nil:
			return s.lock.letGo, nil
		case !errors.As(err, &locked) || time.Now().After(deadline):
			return nil, err
		}
		if perr := pause(ctx, time.Second); perr != nil {
			return nil, errors.Join(err, perr)
		}
	}
}

func (s *Session) tryLock(ctx context.Context) (*lock, error) {
	managers := s.inv.Managers()
	there := slices.Clone(managers)
	if s.options.AllowUnreachable {
		there = slices.DeleteFunc(there, s.isUnseen)
	}
	if 2*len(there) <= len(managers) {
		return nil, fmt.Errorf("taking the cluster's lock: only %d of %d managers can be reached, and it takes a majority\n→ nothing was touched; bring one of the others back", len(there), len(managers))
	}
	holder := fmt.Sprintf("%s since %s, process %d", s.options.By, time.Now().UTC().Format(time.RFC3339), os.Getpid())
	l := newLock(holder, len(managers), s.lockOn)
	err := l.takeAll(ctx, there[:1])
	if err == nil {
		err = l.takeAll(ctx, there[1:])
	}
	if err != nil {
		l.letGo()
		return nil, err
	}
	return l, nil
}

// lockOn takes the lock on one manager.
func (s *Session) lockOn(ctx context.Context, host, holder string) (grip, error) {
	var said bytes.Buffer
	release, lost, err := s.hosts[host].ssh.Hold(ctx, remote.Command{
		Argv: []string{"sh", "-c", lockScript, "rmqprov-lock", s.inv.Cluster.Name, holder}, Sudo: true, Stdout: &said,
	})
	var exit *remote.ExitError
	if errors.As(err, &exit) && exit.Status == lockStatus {
		return grip{}, &Locked{Host: host, Holder: strings.TrimSpace(exit.Stderr)}
	}
	if err != nil {
		return grip{}, fmt.Errorf("taking the cluster's lock on %s: %w", host, err)
	}
	return grip{release: release, lost: lost, before: strings.TrimSpace(said.String())}, nil
}

// grip is the lock on one manager, held.
type grip struct {
	release func()
	lost    <-chan error // yields, or is closed, when it is held no more
	before  string       // what the holder before wrote of itself; "": nobody, since that host booted
}

// lock is the lock on a cluster as one run holds it. While that is most of the
// managers' locks, no other run can have most of them, whichever are lost for a
// while.
type lock struct {
	holder   string
	managers int
	take     func(ctx context.Context, host, holder string) (grip, error)

	end     context.CancelFunc
	life    context.Context
	keepers sync.WaitGroup

	mu     sync.Mutex
	held   map[string]bool
	shaken bool          // it was less than a majority for a while, in which another run may have come
	over   error         // why it will not be held again
	moved  chan struct{} // closed and replaced when one of those changes

	seen    time.Time     // when this program was last seen at work, by the clock on the wall
	doubted chan struct{} // closed and replaced when it was not for long
}

func newLock(holder string, managers int, take func(ctx context.Context, host, holder string) (grip, error)) *lock {
	l := &lock{holder: holder, managers: managers, take: take, held: map[string]bool{},
		moved: make(chan struct{}), seen: time.Now().Round(0), doubted: make(chan struct{})}
	l.life, l.end = context.WithCancel(context.Background())
	l.keepers.Go(l.watch)
	return l
}

// takeAll takes the locks of several managers at once, and keeps those that it got.
func (l *lock) takeAll(ctx context.Context, hosts []string) error {
	errs := make([]error, len(hosts))
	var all sync.WaitGroup
	for i, host := range hosts {
		all.Go(func() {
			var g grip
			if g, errs[i] = l.take(ctx, host, l.holder); errs[i] == nil {
				doubted := l.set(host, true)
				l.keepers.Go(func() { l.keep(host, g, doubted) })
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// letGo releases what is held, on all managers at the same time.
func (l *lock) letGo() {
	l.end()
	l.keepers.Wait()
}

// keep holds one manager's lock until it is let go, and takes it again when it is
// lost or in doubt.
func (l *lock) keep(host string, g grip, doubted <-chan struct{}) {
	for {
		select {
		case <-l.life.Done():
			g.release()
			return
		case <-g.lost:
		case <-doubted:
		}
		g.release()
		l.set(host, false)
		var ok bool
		if g, ok = l.takeAgain(host); !ok {
			return
		}
		doubted = l.set(host, true)
	}
}

// awake notices that this machine has slept: the hosts may have taken this run for
// dead meanwhile, and word of that may not be here yet. Then nothing counts as held
// until it was taken again. The monotonic clock stands still in a sleep.
func (l *lock) awake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().Round(0)
	slept := now.Sub(l.seen) > sleepOf
	l.seen = now
	if slept {
		clear(l.held)
		l.shaken = true
		close(l.doubted)
		l.doubted = make(chan struct{})
		l.tell()
	}
}

// sleepOf is how long this program was not at work where its locks are in doubt:
// half of what lockScript waits for a sign of life.
const sleepOf = 30 * time.Second

// watch looks often enough whether this machine has slept.
func (l *lock) watch() {
	for pause(l.life, sleepOf/6) == nil {
		l.awake()
	}
}

// takeAgain tries until the lock is held again. The host's sshd may go on for a
// minute with what it has not noticed to be cut: then this run stands in its own way.
func (l *lock) takeAgain(host string) (grip, bool) {
	for {
		g, err := l.take(l.life, host, l.holder)
		var locked *Locked
		switch {
		case err == nil && (g.before == "" || g.before == l.holder || !l.isShaken()):
			return g, true
		case err == nil:
			g.release()
			l.fail(l.overtaken(host, g.before))
			return grip{}, false
		case errors.As(err, &locked) && locked.Holder != l.holder && l.isShaken():
			l.fail(l.overtaken(host, locked.Holder))
			return grip{}, false
		}
		if pause(l.life, time.Second) != nil {
			return grip{}, false
		}
	}
}

func (l *lock) overtaken(host, by string) error {
	return fmt.Errorf("the connection to most managers was lost, and with it the cluster's lock; another run has taken it since: %s (so says %s)\n→ what is done stays, and nothing more is begun; when that run has ended, see what `rmqprov plan` says is left", by, host)
}

// set notes whether a manager's lock is held. What it returns is closed when that
// comes into doubt.
func (l *lock) set(host string, held bool) (doubted <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if held {
		l.held[host] = true
	} else {
		delete(l.held, host)
	}
	if !held && !l.most() {
		l.shaken = true
	} else if held && l.most() {
		l.shaken = false // those that are held were held by nobody in between
	}
	l.tell()
	return l.doubted
}

// most says that most managers' locks are held; l.mu is held.
func (l *lock) most() bool { return 2*len(l.held) > l.managers }

// tell wakes those who wait for a change; l.mu is held.
func (l *lock) tell() {
	close(l.moved)
	l.moved = make(chan struct{})
}

func (l *lock) isShaken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shaken
}

// isOver says that the lock is lost for good.
func (l *lock) isOver() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over != nil
}

func (l *lock) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over == nil {
		l.over = err
		l.tell()
	}
}

// lockedAgainWithin bounds the wait for a majority of the locks to be held again: a
// host that reboots is back, and what its sshd has not noticed to be cut is over.
const lockedAgainWithin = 3 * time.Minute

// await returns when most managers' locks are held, at once as a rule. Its error
// says why they will not be. Without a lock there is nothing to wait for.
func (l *lock) await(ctx context.Context) error {
	if l == nil {
		return nil
	}
	late := time.NewTimer(lockedAgainWithin)
	defer late.Stop()
	l.awake()
	for {
		l.mu.Lock()
		most, n, over, moved := l.most(), len(l.held), l.over, l.moved
		l.mu.Unlock()
		if over != nil || most {
			return over
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			l.fail(fmt.Errorf("the connection to most managers was lost, and with it the cluster's lock; %s later it is held on %d of %d again\n→ what is done stays, and nothing more is begun; see that the managers can be reached, and run it again", lockedAgainWithin, n, l.managers))
		}
	}
}
