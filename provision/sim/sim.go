// Package sim simulates hosts: SSH servers in this process that answer what
// rmqprov asks of real ones, each with data of its own. Commands are not run;
// the facts script, the Docker API behind `docker system dial-stdio`, SFTP and
// the scripts around it are recognised and answered. A host can be told to
// answer nonsense instead.
package sim

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Fleet is a set of simulated hosts that accept the same login key.
type Fleet struct {
	login  ssh.PublicKey
	secret []byte // the login key as a file

	mu    sync.Mutex
	hosts []*Host
	known strings.Builder
}

// NewFleet returns a fleet without hosts.
func NewFleet() (*Fleet, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	login, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, err
	}
	return &Fleet{login: login, secret: pem.EncodeToMemory(block)}, nil
}

// WriteKey writes the private key that the hosts accept.
func (f *Fleet) WriteKey(path string) error { return os.WriteFile(path, f.secret, 0o600) }

// WriteKnownHosts writes the keys of all hosts that were started so far.
func (f *Fleet) WriteKnownHosts(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return os.WriteFile(path, []byte(f.known.String()), 0o600)
}

// Start begins to serve a host on a port of 127.0.0.1.
func (f *Fleet) Start(h *Host) error {
	key, err := newSigner()
	if err != nil {
		return err
	}
	if h.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	h.conns, h.asked = map[net.Conn]bool{}, map[Kind]int{}
	h.config = f.config(h, key)
	f.mu.Lock()
	defer f.mu.Unlock()
	recorded := key
	if h.KeyChanged {
		if recorded, err = newSigner(); err != nil {
			return err
		}
	}
	fmt.Fprintln(&f.known, knownhosts.Line([]string{h.listener.Addr().String()}, recorded.PublicKey()))
	f.hosts = append(f.hosts, h)
	h.serving.Go(h.accept)
	return nil
}

func (f *Fleet) config(h *Host, key ssh.Signer) *ssh.ServerConfig {
	login := string(f.login.Marshal())
	c := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, shown ssh.PublicKey) (*ssh.Permissions, error) {
		accepted := string(shown.Marshal()) == login
		if h.LetIn != nil {
			accepted = h.LetIn(shown)
		}
		if h.RefuseLogin || !accepted {
			return nil, errors.New("not authorized")
		}
		return nil, nil
	}}
	if h.Banner != "" {
		c.BannerCallback = func(ssh.ConnMetadata) string { return h.Banner }
	}
	c.AddHostKey(key)
	return c
}

func newSigner() (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return ssh.NewSignerFromKey(key)
}

// Close stops all hosts and waits until nothing of them runs any more.
func (f *Fleet) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, h := range f.hosts {
		h.stop()
	}
	for _, h := range f.hosts {
		h.serving.Wait()
	}
}

// Host is one simulated host. Fields are set before it is started.
type Host struct {
	Facts  Facts
	Engine *Engine // nil: no Docker runs there

	Banner      string                   // shown before the login
	LetIn       func(ssh.PublicKey) bool // in place of the fleet's key; called from several goroutines
	Noise       string                   // printed by rc files before each command's own output
	RefuseLogin bool
	KeyChanged  bool        // known_hosts has another key of it
	Silent      bool        // accepts connections and never says a word
	Mute        bool        // says that it is an SSH server, and nothing more
	MaxStartups int         // connections beyond so many that have not logged in are cut; 0: no limit
	Forward     bool        // opens connections for others, as a bastion does, and to its own ports
	Closed      atomic.Bool // with Forward: nothing listens on the ports that it is asked for

	// Exec answers a command instead of the host, and returns false to leave
	// it to the host after all.
	Exec func(Call) bool
	// OpenError and WriteError are what opening a file for writing and writing
	// it by SFTP end with. OpenSSH's server says "Failure" of a read-only file
	// system and of a full disk.
	OpenError, WriteError error

	listener net.Listener
	config   *ssh.ServerConfig
	serving  sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	conns    map[net.Conn]bool
	starting int
	logins   int
	asked    map[Kind]int
}

// Port is where the host listens on 127.0.0.1.
func (h *Host) Port() int { return h.listener.Addr().(*net.TCPAddr).Port }

// Logins counts the connections that logged in.
func (h *Host) Logins() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.logins
}

// Asked counts the commands of a kind that the host was sent.
func (h *Host) Asked(k Kind) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked[k]
}

// StopListening makes new connections be refused.
func (h *Host) StopListening() { h.listener.Close() }

func (h *Host) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.listener.Close()
	for c := range h.conns {
		c.Close()
	}
}

func (h *Host) accept() {
	for {
		raw, err := h.listener.Accept()
		if err != nil {
			return
		}
		if !h.admit(raw) {
			raw.Close()
			continue
		}
		h.serving.Go(func() {
			defer h.forget(raw)
			h.serve(raw)
		})
	}
}

func (h *Host) admit(raw net.Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.MaxStartups > 0 && h.starting >= h.MaxStartups {
		return false
	}
	h.conns[raw] = true
	h.starting++
	return true
}

func (h *Host) forget(raw net.Conn) {
	raw.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, raw)
}

func (h *Host) serve(raw net.Conn) {
	if h.Silent || h.Mute {
		if h.Mute {
			io.WriteString(raw, "SSH-2.0-sim\r\n")
		}
		io.Copy(io.Discard, raw)
		return
	}
	conn, channels, requests, err := ssh.NewServerConn(raw, h.config)
	h.mu.Lock()
	h.starting--
	if err == nil {
		h.logins++
	}
	h.mu.Unlock()
	if err != nil {
		return
	}
	defer conn.Close()
	h.serving.Go(func() { answerAlive(requests) })
	for ch := range channels {
		switch {
		case ch.ChannelType() == "session":
			h.serving.Go(func() { h.session(ch) })
		case ch.ChannelType() == "direct-tcpip" && h.Forward:
			h.serving.Go(func() { h.forward(ch) })
		default:
			ch.Reject(ssh.Prohibited, "administratively prohibited")
		}
	}
}

// answerAlive answers keep-alives as sshd does: it knows no such request.
func answerAlive(requests <-chan *ssh.Request) {
	for r := range requests {
		if r.WantReply {
			r.Reply(false, nil)
		}
	}
}

func (h *Host) forward(ch ssh.NewChannel) {
	var m struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(ch.ExtraData(), &m); err != nil {
		ch.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	if h.Closed.Load() {
		ch.Reject(ssh.ConnectionFailed, "Connection refused")
		return
	}
	to, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.ParseIP(m.Host), Port: int(m.Port)})
	if err != nil {
		ch.Reject(ssh.ConnectionFailed, "Connection refused")
		return
	}
	defer to.Close()
	near, requests, err := ch.Accept()
	if err != nil {
		return
	}
	defer near.Close()
	go ssh.DiscardRequests(requests)
	h.serving.Go(func() { io.Copy(to, near); to.CloseWrite() })
	io.Copy(near, to)
}
