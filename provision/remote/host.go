package remote

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// Host is a host and the one connection to it. All methods may be called by
// several goroutines at once.
type Host struct {
	target Target
	dialed atomic.Int64

	// connecting lets one goroutine dial while the others wait for it.
	connecting gate
	attempt    atomic.Int64 // counts dials that ended, to see that one ended while waiting
	lastErr    error        // of the last dial; guarded by connecting

	settings *settings // guarded by connecting
	via      *bastion  // guarded by connecting
	paths    pathLocks

	mu     sync.Mutex
	conn   *connection
	closed bool

	// life ends with Close and ends a dial that is under way.
	life context.Context
	end  context.CancelCauseFunc

	keepAlive   time.Duration
	sftpServers []string
}

// NewHost returns a host that connects when it is first used.
func NewHost(t Target) *Host {
	h := &Host{target: t, connecting: newGate(), keepAlive: keepAliveInterval, sftpServers: sftpServerPaths}
	h.life, h.end = context.WithCancelCause(context.Background())
	return h
}

// Dial returns a host that is connected.
func Dial(ctx context.Context, t Target) (*Host, error) {
	h := NewHost(t)
	if err := h.Connect(ctx); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// Connect dials unless the host is connected. Goroutines that ask at the same
// time share one dial and its error.
func (h *Host) Connect(ctx context.Context) error {
	_, err := h.connection(ctx)
	return err
}

// Name returns what errors and reports call the host.
func (h *Host) Name() string { return h.target.title() }

// Connections returns how many connections were made so far: 1 for a run on
// which none was lost.
func (h *Host) Connections() int { return int(h.dialed.Load()) }

// Close ends the connection and all that runs on it, and the bastion's when no
// other host uses it. The host cannot be used again.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	conn := h.conn
	h.mu.Unlock()
	h.end(errClosed)
	if conn != nil {
		conn.fail(errClosed)
	}
	// The dial that is under way, if any, has been told to end.
	if err := h.connecting.enter(context.Background()); err != nil {
		return err
	}
	defer h.connecting.leave()
	h.via.release()
	h.via = nil
	return nil
}

// live returns the connection if there is one that is not known to be lost.
func (h *Host) live() (*connection, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("%s: %w", h.Name(), errClosed)
	}
	if h.conn == nil || h.conn.isDown() {
		return nil, nil
	}
	return h.conn, nil
}

// connection returns the live connection, dialling if there is none.
func (h *Host) connection(ctx context.Context) (*connection, error) {
	if conn, err := h.live(); conn != nil || err != nil {
		return conn, err
	}
	before := h.attempt.Load()
	if err := h.connecting.enter(ctx); err != nil {
		return nil, fmt.Errorf("%s: waiting for the connection: %w", h.Name(), err)
	}
	defer h.connecting.leave()
	if conn, err := h.live(); conn != nil || err != nil {
		return conn, err
	}
	// Whoever waited for a dial that failed gets its error: a queue of
	// timeouts one after another would help nobody.
	if h.attempt.Load() != before && h.lastErr != nil && !wasStopped(h.lastErr) {
		return nil, h.lastErr
	}
	conn, err := h.dial(ctx)
	h.lastErr = err
	h.attempt.Add(1)
	if err != nil {
		return nil, err
	}
	return conn, h.adopt(conn)
}

func (h *Host) adopt(conn *connection) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		conn.fail(errClosed)
		return fmt.Errorf("%s: %w", h.Name(), errClosed)
	}
	h.conn = conn
	h.dialed.Add(1)
	return nil
}

// connection is one SSH connection. When it is lost it stays so; the Host
// makes another.
type connection struct {
	who    string
	user   string
	client *ssh.Client
	slots  *slots
	sudo   *sudoChoice
	files  filePool

	down    chan struct{} // closed when the connection is lost or closed
	failing sync.Once
	downErr error // why; set before down is closed
}

func newConnection(s settings, client *ssh.Client, sudoPassword string) *connection {
	return &connection{
		who: s.who(), user: s.user, client: client,
		slots: newSlots(), sudo: &sudoChoice{password: sudoPassword, gate: newGate()}, down: make(chan struct{}),
	}
}

// fail declares the connection lost: every channel on it ends.
func (c *connection) fail(err error) {
	c.failing.Do(func() {
		c.downErr = err
		close(c.down)
		c.client.Close()
	})
}

func (c *connection) isDown() bool {
	select {
	case <-c.down:
		return true
	default:
		return false
	}
}

// lost returns the error of something that was under way when the connection
// went away.
func (c *connection) lost(doing string) error {
	<-c.down
	return &LostError{Who: c.who, Doing: doing, Err: c.downErr}
}

// gate is a mutex that is waited for only as long as a context lives.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g gate) leave() { <-g }
