package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	clientVersion = "SSH-2.0-rmqprov"
	bannerKept    = 1024 // bytes of the login banner that an error may show
)

// handshakes bounds SSH handshakes under way in the process. They are work for
// the processor, and a bastion's sshd drops what exceeds its MaxStartups.
var handshakes = make(chan struct{}, 16)

// handshakePatience is how long a handshake counts among those: one that takes
// longer waits for its host or for a human, and must not hold up the others.
const handshakePatience = 500 * time.Millisecond

// attempt is one dial.
type attempt struct {
	settings
	ctx   context.Context
	stop  context.CancelCauseFunc
	clock *time.Timer // stops the attempt with errDialTimeout

	trust   *hostKeys
	keys    *keyring
	refused error // by the host key check
	banner  strings.Builder
	proven  atomic.Bool // the host's key was accepted
}

// dial makes a connection; h.connecting is held.
func (h *Host) dial(ctx context.Context) (*connection, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(h.life, func() { stop(errClosed) })()
	if h.settings == nil {
		s, err := resolve(h.target)
		if err != nil {
			return nil, err
		}
		if err := checkHops(h.target, s); err != nil {
			return nil, err
		}
		h.settings = &s
	}
	s := *h.settings
	if err := h.reachBastion(ctx); err != nil {
		return nil, err
	}
	client, err := h.attempts(ctx, s)
	if err != nil {
		return nil, err
	}
	conn := newConnection(s, client, h.target.SudoPassword)
	go conn.watch(h.keepAlive)
	return conn, nil
}

// attempts tries again, within the time of one dial, where sshd cut the handshake:
// it does so to some while many log in at once (MaxStartups) and while it starts.
func (h *Host) attempts(ctx context.Context, s settings) (*ssh.Client, error) {
	deadline := time.Now().Add(s.timeout)
	for wait := 250 * time.Millisecond; ; wait *= 2 {
		client, err := h.dialOn(ctx, s)
		if err == nil || !wasCut(err) || time.Now().Add(wait).After(deadline) {
			return client, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// wasCut says that the other end closed the connection in the handshake.
func wasCut(err error) bool {
	failed, ok := errors.AsType[*ConnectError](err)
	return ok && failed.Doing == "SSH handshake" && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET))
}

func (h *Host) dialOn(ctx context.Context, s settings) (*ssh.Client, error) {
	a, err := h.newAttempt(ctx, s)
	if err != nil {
		return nil, err
	}
	defer a.end()
	return a.run(h.via)
}

func (h *Host) newAttempt(ctx context.Context, s settings) (*attempt, error) {
	trust, err := readHostKeys(s)
	if err != nil {
		return nil, err
	}
	a := &attempt{settings: s, trust: trust}
	a.ctx, a.stop = context.WithCancelCause(ctx)
	a.clock = time.AfterFunc(s.timeout, func() { a.stop(errDialTimeout) })
	a.keys = &keyring{settings: s, ctx: a.ctx, ask: h.target.Passphrase, push: h.target.Push, pause: a.pause}
	if err := a.keys.load(); err != nil {
		a.end()
		return nil, err
	}
	return a, nil
}

// pause stops the clock; what it returns starts it anew.
func (a *attempt) pause() func() {
	a.clock.Stop()
	return func() { a.clock.Reset(a.timeout) }
}

func (a *attempt) end() {
	a.clock.Stop()
	a.stop(nil)
	a.keys.close()
}

func (a *attempt) run(via *bastion) (*ssh.Client, error) {
	raw, err := a.connect(via)
	if err != nil {
		return nil, a.explain("connecting", err)
	}
	unhook := context.AfterFunc(a.ctx, func() { raw.Close() })
	conn, channels, requests, err := a.shakeHands(raw)
	if err != nil {
		unhook()
		raw.Close()
		return nil, a.explain("SSH handshake", err)
	}
	client := ssh.NewClient(conn, channels, requests)
	if !unhook() { // the context ended while the handshake did
		client.Close()
		return nil, a.explain("SSH handshake", context.Cause(a.ctx))
	}
	return client, nil
}

// shakeHands makes an SSH connection of raw. A host that never says a word is
// not counted among the handshakes, however many of its kind there are.
func (a *attempt) shakeHands(raw net.Conn) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	first := make([]byte, 1)
	if _, err := io.ReadFull(raw, first); err != nil {
		return nil, nil, nil, err
	}
	if err := a.enterHandshake(); err != nil {
		return nil, nil, nil, err
	}
	leave := sync.OnceFunc(func() { <-handshakes })
	defer leave()
	defer time.AfterFunc(handshakePatience, leave).Stop()
	conn := &greeted{Conn: raw, first: first}
	c, channels, requests, err := ssh.NewClientConn(conn, a.address(), a.config())
	if err != nil {
		err = conn.turnedAway(err)
	}
	return c, channels, requests, err
}

// greeted is a connection of which the first bytes were read already.
type greeted struct {
	net.Conn
	first []byte

	mu    sync.Mutex // a failed handshake may still be reading
	heard []byte     // the first that came, up to bannerKept
}

func (g *greeted) Read(p []byte) (n int, err error) {
	if len(g.first) > 0 {
		n = copy(p, g.first)
		g.first = g.first[n:]
	} else {
		n, err = g.Conn.Read(p)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heard = append(g.heard, p[:min(n, bannerKept-len(g.heard))]...)
	return n, err
}

// turnedAway adds to err what was said in place of a version: OpenSSH's sshd
// gives its reason in a line before it closes the connection of whom it does not
// let in ("Exceeded MaxStartups", "Not allowed at this time"; sshd.c).
func (g *greeted) turnedAway(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.heard) == 0 || bytes.Contains(g.heard, []byte("SSH-")) {
		return err
	}
	return fmt.Errorf("it said %q: %w", tail(g.heard), err)
}

// enterHandshake waits until it may shake hands. Meanwhile the clock stands
// still: those before it may keep the processor busy.
func (a *attempt) enterHandshake() error {
	select {
	case handshakes <- struct{}{}:
		return nil
	default:
		defer a.pause()()
	}
	select {
	case handshakes <- struct{}{}:
		return nil
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	}
}

func (a *attempt) connect(via *bastion) (net.Conn, error) {
	if via != nil {
		return via.host.Dial(a.ctx, "tcp", a.address())
	}
	return new(net.Dialer).DialContext(a.ctx, "tcp", a.address())
}

func (a *attempt) config() *ssh.ClientConfig {
	return &ssh.ClientConfig{
		User:              a.user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(a.keys.signers...)},
		HostKeyAlgorithms: a.trust.algorithms(),
		HostKeyCallback: func(name string, remote net.Addr, key ssh.PublicKey) error {
			if a.refused = a.trust.check(name, remote, key); a.refused != nil {
				return a.refused
			}
			a.proven.Store(true)
			return nil
		},
		BannerCallback: func(text string) error {
			a.banner.WriteString(text[:min(len(text), max(0, bannerKept-a.banner.Len()))])
			return nil
		},
		ClientVersion: clientVersion,
	}
}

// explain finds the reason of a failed attempt among those that were noted on
// the way: what x/crypto returns is often only their consequence.
func (a *attempt) explain(doing string, err error) error {
	if a.refused != nil {
		return a.refused
	}
	if a.ctx.Err() != nil {
		return a.stopped(doing)
	}
	if a.keys.err != nil && authRefused(err, a.keys.err) {
		err = a.keys.err
		return &AuthError{Who: a.who(), User: a.user, Tried: a.keys.tried, Notes: []string{err.Error()}, Err: err}
	}
	if authRefused(err, nil) || a.proven.Load() && bannerOfBooting(a.banner.String()) {
		return &AuthError{Who: a.who(), User: a.user, Tried: a.keys.tried, Notes: a.keys.notes, Banner: tail([]byte(a.banner.String())), Err: err}
	}
	return &ConnectError{Who: a.who(), Doing: doing, Err: err}
}

func (a *attempt) stopped(doing string) error {
	cause := context.Cause(a.ctx)
	if errors.Is(cause, errDialTimeout) {
		return &ConnectError{Who: a.who(), Doing: doing, Err: fmt.Errorf("%w (%v)", errDialTimeout, a.timeout)}
	}
	return fmt.Errorf("%s: %s: %w", a.who(), doing, cause)
}

// authRefused recognises a refused login; x/crypto has no type for it.
func authRefused(err, signing error) bool {
	if signing != nil && errors.Is(err, signing) {
		return true
	}
	return strings.Contains(err.Error(), "unable to authenticate") || tooManyTries(err)
}

func tooManyTries(err error) bool {
	return strings.Contains(strings.ToLower(err.Error()), "too many authentication failures")
}

// wasStopped says whether a dial ended because its caller ended it.
func wasStopped(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
