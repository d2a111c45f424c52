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
	// maxDocker leaves three of them to others: http.Transport keeps idle
	// connections to Docker, and commands would wait for those.
	maxDocker = maxSessions - 3

	refusedPause = 200 * time.Millisecond
	// refusedAlone and refusedPatience are how long a host may refuse a
	// session while none and while some of ours are open.
	refusedAlone    = 3 * time.Second
	refusedPatience = 2 * time.Minute
)

// errTooManySessions means that sshd went on refusing a session.
var errTooManySessions = errors.New("sshd refuses another session: raise MaxSessions in sshd_config (10 is its default)")

// slots counts the sessions of a connection.
type slots struct {
	mu     sync.Mutex
	used   int
	docker int
	freed  chan struct{} // closed and replaced when a slot is given back
}

func newSlots() *slots { return &slots{freed: make(chan struct{})} }

// try takes a slot, or returns what is closed when it is worth another try.
func (s *slots) try(docker bool) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used >= maxSessions || docker && s.docker >= maxDocker {
		return s.freed
	}
	s.used++
	if docker {
		s.docker++
	}
	return nil
}

// release gives a slot back and wakes those who wait for one.
func (s *slots) release(docker bool) {
	s.giveBack(docker)
	s.wake()
}

// giveBack gives back the slot of a session that was refused. It wakes nobody:
// the others would only be refused in their turn. It returns how many are left
// in use, and what is closed when one of those ends.
func (s *slots) giveBack(docker bool) (left int, freed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	if docker {
		s.docker--
	}
	return s.used, s.freed
}

func (s *slots) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.freed)
	s.freed = make(chan struct{})
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
// allows: its MaxSessions may be lower than usual, and what was stopped may
// still be ending there.
func (c *connection) open(ctx context.Context, docker bool) (*session, error) {
	for since := time.Now(); ; {
		if err := c.acquire(ctx, docker); err != nil {
			return nil, err
		}
		ch, requests, err := c.openChannel(ctx)
		if err == nil {
			return &session{ch, requests, func() { c.slots.release(docker) }}, nil
		}
		if _, refused := openChannelError(err); !refused {
			c.slots.release(docker)
			return nil, err
		}
		left, freed := c.slots.giveBack(docker)
		c.files.closeIdle()
		if waited := time.Since(since); waited > refusedPatience || left == 0 && waited > refusedAlone {
			c.slots.wake()
			return nil, errors.Join(errTooManySessions, err)
		}
		select {
		case <-freed:
			since = time.Now()
		case <-time.After(refusedPause):
		case <-ctx.Done():
			c.slots.wake()
			return nil, context.Cause(ctx)
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
