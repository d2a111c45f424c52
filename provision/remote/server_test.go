package remote

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// TestMain makes the test binary the SFTP server that sudo starts.
func TestMain(m *testing.M) {
	if os.Getenv("REMOTE_TEST_SFTP_SERVER") != "" {
		server, err := sftp.NewServer(stdio{})
		if err != nil {
			os.Exit(1)
		}
		server.Serve()
		os.Exit(0)
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // they wait more than they work
		panic(err)
	}
	os.Exit(m.Run())
}

type stdio struct{}

func (stdio) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }
func (stdio) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (stdio) Close() error                { return os.Stdout.Close() }

// server is an SSH server that works: commands are run by the machine's own sh,
// with a folder of stand-ins (sudo, docker) before its PATH.
type server struct {
	t        *testing.T
	listener net.Listener
	config   ssh.ServerConfig
	bin      string // stand-ins
	env      []string

	maxSessions int          // refuse more session channels, 0: no limit
	refuse      atomic.Int32 // refuse that many session channels first
	noise       string       // what the user's rc files print
	cutFirst    int32        // close that many connections before the handshake
	turnsAway   string       // what it says before it closes them
	ignoreTERM  bool         // as OpenSSH before 7.9 passes no signals on
	sftpBreak   atomic.Int64 // close the connection after so many bytes to the SFTP server

	starting sync.Once // the first target starts it: what is set before is seen

	mu       sync.Mutex
	conns    map[net.Conn]bool
	frozen   chan struct{}
	sessions atomic.Int32
	most     atomic.Int32 // most sessions at once
	accepted atomic.Int32
	commands []string
}

func newSigner(t testing.TB) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	must(t, err)
	return signer
}

func newECDSASigner(t testing.TB) ssh.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	must(t, err)
	return signer
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newServer starts a server that accepts the key in keyFile(t).
func newServer(t *testing.T, hostKeys ...ssh.Signer) *server {
	t.Helper()
	s := &server{t: t, bin: t.TempDir(), conns: map[net.Conn]bool{}}
	s.config.MaxAuthTries = 6
	s.authorize(userKey(t).pub)
	if len(hostKeys) == 0 {
		hostKeys = []ssh.Signer{hostKey(t)}
	}
	for _, k := range hostKeys {
		s.config.AddHostKey(k)
	}
	var err error
	s.listener, err = net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { s.listener.Close(); s.drop() })
	return s
}

// authorize accepts these keys and no others.
func (s *server) authorize(keys ...ssh.PublicKey) {
	s.config.PublicKeyCallback = func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		for _, k := range keys {
			if sameKey(k, key) {
				return nil, nil
			}
		}
		return nil, errors.New("not authorized")
	}
}

func (s *server) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

func (s *server) accept() {
	for {
		raw, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.accepted.Add(1)
		if atomic.AddInt32(&s.cutFirst, -1) >= 0 {
			io.WriteString(raw, s.turnsAway)
			raw.Close()
			continue
		}
		c := &freezable{Conn: raw, s: s}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		go s.serve(c)
	}
}

// freezable stops reading and writing while the server is frozen.
type freezable struct {
	net.Conn
	s *server
}

func (f *freezable) wait() {
	f.s.mu.Lock()
	frozen := f.s.frozen
	f.s.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

func (f *freezable) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	f.wait()
	return n, err
}

func (f *freezable) Write(p []byte) (int, error) {
	f.wait()
	return f.Conn.Write(p)
}

// freeze makes the server silent, as one without power is.
func (s *server) freeze() {
	frozen := make(chan struct{})
	s.mu.Lock()
	s.frozen = frozen
	s.mu.Unlock()
	s.t.Cleanup(func() { close(frozen) })
}

// drop cuts all connections.
func (s *server) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
	clear(s.conns)
}

func (s *server) serve(raw net.Conn) {
	conn, channels, requests, err := ssh.NewServerConn(raw, &s.config)
	if err != nil {
		raw.Close()
		return
	}
	defer conn.Close()
	go s.global(requests)
	for ch := range channels {
		switch ch.ChannelType() {
		case "session":
			s.openSession(raw, ch)
		case "direct-tcpip":
			go s.forward(ch)
		default:
			ch.Reject(ssh.UnknownChannelType, "unknown channel type")
		}
	}
}

func (s *server) global(requests <-chan *ssh.Request) {
	for r := range requests {
		if r.WantReply {
			r.Reply(false, nil)
		}
	}
}

func (s *server) openSession(raw net.Conn, ch ssh.NewChannel) {
	if s.refuse.Add(-1) >= 0 {
		ch.Reject(ssh.ConnectionFailed, "open failed")
		return
	}
	n := s.sessions.Add(1)
	if s.maxSessions > 0 && int(n) > s.maxSessions {
		s.sessions.Add(-1)
		ch.Reject(ssh.ConnectionFailed, "open failed")
		return
	}
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	go func() {
		defer s.sessions.Add(-1)
		c, requests, err := ch.Accept()
		if err == nil {
			s.session(raw, c, requests)
		}
	}()
}

func (s *server) forward(ch ssh.NewChannel) {
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
	to, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.ParseIP(m.Host), Port: int(m.Port)})
	if err != nil {
		ch.Reject(ssh.ConnectionFailed, "Connection refused")
		return
	}
	c, requests, err := ch.Accept()
	if err != nil {
		to.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	go func() { io.Copy(to, c); to.CloseWrite() }()
	io.Copy(c, to)
	c.Close()
	to.Close()
}

// session serves one channel: a command or the SFTP subsystem.
func (s *server) session(raw net.Conn, ch ssh.Channel, requests <-chan *ssh.Request) {
	defer ch.Close()
	var command *exec.Cmd
	done := make(chan struct{})
	for {
		select {
		case <-done:
			return
		case r, ok := <-requests:
			if !ok { // as sshd does, leave the command alone: it sees its pipes close
				if command != nil {
					<-done
				}
				return
			}
			switch r.Type {
			case "exec":
				command = s.command(string(r.Payload[4:]), ch)
				wait := start(s.t, command, ch)
				go func() { s.finish(command, ch); wait(); close(done) }()
			case "subsystem":
				go func() { s.sftp(raw, ch); close(done) }()
			case "signal":
				if command != nil && !s.ignoreTERM {
					syscall.Kill(-command.Process.Pid, syscall.SIGTERM)
				}
			}
		}
	}
}

func (s *server) command(line string, ch ssh.Channel) *exec.Cmd {
	s.mu.Lock()
	s.commands = append(s.commands, line)
	s.mu.Unlock()
	if s.noise != "" {
		line = "printf %s " + Quote(s.noise) + "; " + line
	}
	c := exec.Command("sh", "-c", line)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c.Env = append([]string{"PATH=" + s.bin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + s.bin, "GORACE=atexit_sleep_ms=50"}, s.env...)
	stdin, err := c.StdinPipe()
	must(s.t, err)
	go func() { io.Copy(stdin, ch); stdin.Close() }()
	return c
}

// start starts a command; what it returns waits for the end of its output.
func start(t *testing.T, c *exec.Cmd, ch ssh.Channel) (wait func()) {
	stdout, err := c.StdoutPipe()
	must(t, err)
	stderr, err := c.StderrPipe()
	must(t, err)
	must(t, c.Start())
	var copying sync.WaitGroup
	copying.Go(func() { io.Copy(ch, stdout) })
	copying.Go(func() { io.Copy(ch.Stderr(), stderr) })
	return copying.Wait
}

// finish reports the exit before the output has ended, as sshd does.
func (s *server) finish(c *exec.Cmd, ch ssh.Channel) {
	state, err := c.Process.Wait()
	must(s.t, err)
	status := state.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		name := map[syscall.Signal]string{syscall.SIGTERM: "TERM", syscall.SIGKILL: "KILL"}[status.Signal()]
		ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
			Signal string
			Core   bool
			Error  string
			Lang   string
		}{Signal: name}))
		return
	}
	ch.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, uint32(status.ExitStatus())))
}

func (s *server) sftp(raw net.Conn, ch ssh.Channel) {
	var far io.ReadWriteCloser = ch
	if n := s.sftpBreak.Load(); n > 0 {
		far = &breaking{Channel: ch, raw: raw, left: n}
	}
	server, err := sftp.NewServer(far)
	must(s.t, err)
	server.Serve()
	ch.SendRequest("exit-status", false, make([]byte, 4))
}

// breaking cuts the connection after some bytes.
type breaking struct {
	ssh.Channel
	raw  net.Conn
	left int64
}

func (b *breaking) Read(p []byte) (int, error) {
	n, err := b.Channel.Read(p[:min(int64(len(p)), max(b.left, 1))])
	b.left -= int64(n)
	if b.left <= 0 {
		b.raw.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// shell makes another shell the host's sh, as bash is on Amazon Linux.
func (s *server) shell(name string) {
	path, err := exec.LookPath(name)
	must(s.t, err)
	must(s.t, os.Symlink(path, filepath.Join(s.bin, "sh")))
}

// standIn writes an executable that hides the machine's own.
func (s *server) standIn(name, script string) string {
	file := filepath.Join(s.bin, name)
	must(s.t, os.WriteFile(file, []byte(script), 0o755))
	return file
}

// keyPair is a login key and the file it is in.
type keyPair struct {
	file string
	pub  ssh.PublicKey
	raw  ed25519.PrivateKey
}

var keyPairs sync.Map // per test

func newKeyPair(t testing.TB, passphrase string) keyPair {
	t.Helper()
	if passphrase != "" {
		return newLockedKeyPair(t, passphrase)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(key, "test")
	must(t, err)
	file := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	signer, err := ssh.NewSignerFromKey(key)
	must(t, err)
	return keyPair{file, signer.PublicKey(), key}
}

func newLockedKeyPair(t testing.TB, passphrase string) keyPair {
	t.Helper()
	file, pub := keygen(t, "-t", "ed25519", "-N", passphrase)
	text, err := os.ReadFile(file)
	must(t, err)
	key, err := ssh.ParseRawPrivateKeyWithPassphrase(text, []byte(passphrase))
	must(t, err)
	return keyPair{file, pub, *key.(*ed25519.PrivateKey)}
}

// keygen makes a key with ssh-keygen, and leaves no .pub file beside it. It
// derives what encrypts the file in one round: the usual 16 or 24 of
// bcrypt take seconds under the race detector.
func keygen(t testing.TB, args ...string) (file string, pub ssh.PublicKey) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "key")
	out, err := exec.Command("ssh-keygen", append(args, "-q", "-a", "1", "-f", file)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	pub = readPublicKey(file + ".pub")
	must(t, os.Remove(file+".pub"))
	return file, pub
}

// userKey is the key that servers of this test accept.
func userKey(t testing.TB) keyPair {
	if k, ok := keyPairs.Load(t.Name()); ok {
		return k.(keyPair)
	}
	k := newKeyPair(t, "")
	keyPairs.Store(t.Name(), k)
	return k
}

var hostKeySigners sync.Map // per test

func hostKey(t testing.TB) ssh.Signer {
	k, _ := hostKeySigners.LoadOrStore(t.Name(), newSigner(t))
	return k.(ssh.Signer)
}

// target reaches s with its key and host key known.
func (s *server) target() Target {
	s.starting.Do(func() { go s.accept() })
	known := filepath.Join(s.t.TempDir(), "known_hosts")
	line := keyName("127.0.0.1", s.port(), false) + " " + string(ssh.MarshalAuthorizedKey(hostKey(s.t).PublicKey()))
	must(s.t, os.WriteFile(known, []byte(line), 0o600))
	return Target{Name: "node-1", Address: "127.0.0.1", Port: s.port(), User: "ec2-user", Identity: userKey(s.t).file,
		KnownHosts: known, ConfigFile: "none"}
}

// host returns a host for s that is closed when the test ends.
func (s *server) host() *Host {
	h := NewHost(s.target())
	s.t.Cleanup(func() { h.Close() })
	return h
}

// checkLeaks fails the test if goroutines of this package or of x/crypto that
// the test has started are left some time after it. They are told from those of
// tests beside it by a label, which a goroutine has from the one that starts it.
func checkLeaks(t *testing.T) {
	t.Helper()
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("test", t.Name())))
	t.Cleanup(func() {
		var left string
		for range 100 {
			if left = goroutinesOf(t); left == "" {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("goroutines are left:\n%s", left)
	})
}

func goroutinesOf(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	must(t, pprof.Lookup("goroutine").WriteTo(&all, 1))
	var left []string
	for _, g := range strings.Split(all.String(), "\n\n") {
		mine := strings.Contains(g, strconv.Quote("test")+":"+strconv.Quote(t.Name()))
		ours := strings.Contains(g, "provision/remote.(*") || strings.Contains(g, "x/crypto/ssh.")
		test := strings.Contains(g, "_test.go") || strings.Contains(g, "testing.")
		if mine && ours && !test {
			left = append(left, g)
		}
	}
	return strings.Join(left, "\n\n")
}
