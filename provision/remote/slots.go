package remote

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// maxSessions bounds the sessions open at once on a connection. sshd
	// allows 10 (MaxSessions); two are left for stopping commands, and for
	// those that were stopped and have not ended yet.
	maxSessions = 8
	// otherSessions is how many of them Docker connections must leave:
	// http.Transport keeps idle ones, and commands would wait for those.
	otherSessions = 3

	refusedPause = 200 * time.Millisecond
	refusedTries = 15
)

// errTooManySessions means that sshd refused a session though no other is open
// that could end.
var errTooManySessions = errors.New("sshd refuses another session: raise MaxSessions in sshd_config (10 is its default)")

// slots counts the sessions of a connection.
type slots struct {
	mu     sync.Mutex
	limit  int
	used   int
	docker int
	freed  chan struct{} // closed and replaced when a slot is given back
}

func newSlots() *slots {
	return &slots{limit: maxSessions, freed: make(chan struct{})}
}

// try takes a slot, or returns what is closed when it is worth another try.
func (s *slots) try(docker bool) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used >= s.limit || docker && s.docker >= max(1, s.limit-otherSessions) {
		return s.freed
	}
	s.used++
	if docker {
		s.docker++
	}
	return nil
}

func (s *slots) release(docker bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	if docker {
		s.docker--
	}
	close(s.freed)
	s.freed = make(chan struct{})
}

// refused learns from a session that sshd refused how many it allows. It
// returns false when none of ours is left that could make room.
func (s *slots) refused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = max(1, min(s.limit, s.used-1))
	return s.used > 1
}

// acquire waits for a slot. An idle SFTP session is given up for it.
func (c *connection) acquire(ctx context.Context, docker bool) error {
	for {
		freed := c.slots.try(docker)
		if freed == nil {
			return nil
		}
		c.files.closeIdle()
		select {
		case <-freed:
		case <-c.down:
			return c.lost("")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// session is a channel with a slot.
type session struct {
	ssh.Channel
	requests <-chan *ssh.Request
	release  func() // gives the slot back; to be called when the host has closed its side
}

// open opens a session channel, waiting while as many are open as the host
// allows.
func (c *connection) open(ctx context.Context, docker bool) (*session, error) {
	for try := 1; ; try++ {
		if err := c.acquire(ctx, docker); err != nil {
			return nil, err
		}
		ch, requests, err := c.openChannel(ctx)
		if err == nil {
			return &session{ch, requests, func() { c.slots.release(docker) }}, nil
		}
		_, denied := openChannelError(err)
		alone := denied && !c.slots.refused()
		c.slots.release(docker)
		switch {
		case !denied:
			return nil, err
		case alone && try >= refusedTries:
			return nil, errors.Join(errTooManySessions, err)
		case alone: // what was stopped before may still be ending there
			if err := sleep(ctx, refusedPause); err != nil {
				return nil, err
			}
		}
	}
}

// openChannel opens a session channel without regard to slots.
func (c *connection) openChannel(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	type opened struct {
		ch       ssh.Channel
		requests <-chan *ssh.Request
		err      error
	}
	done := make(chan opened, 1)
	go func() {
		ch, requests, err := c.client.OpenChannel("session", nil)
		done <- opened{ch, requests, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			if _, denied := openChannelError(o.err); denied {
				return nil, nil, o.err
			}
			c.fail(o.err)
			return nil, nil, c.lost("")
		}
		return o.ch, o.requests, nil
	case <-c.down:
		return nil, nil, c.lost("")
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil {
				go ssh.DiscardRequests(o.requests)
				o.ch.Close()
			}
		}()
		return nil, nil, context.Cause(ctx)
	}
}

func openChannelError(err error) (*ssh.OpenChannelError, bool) {
	return errors.AsType[*ssh.OpenChannelError](err)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
