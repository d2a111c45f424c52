package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// startAgent serves an agent with the keys and returns its socket.
func startAgent(t *testing.T, keys ...keyPair) string {
	t.Helper()
	ring := agent.NewKeyring()
	for _, k := range keys {
		must(t, ring.Add(agent.AddedKey{PrivateKey: k.raw}))
	}
	socket := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(ring, c)
		}
	}()
	return socket
}

// A key that is pushed for a dial is the only one that is offered, and no dial
// uses that of another.
func TestAPushedKey(t *testing.T) {
	s := newServer(t)
	var mu sync.Mutex
	var pushed, offered []string
	s.config.PublicKeyCallback = func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		mu.Lock()
		defer mu.Unlock()
		if offered = append(offered, describeKey(key)); !slices.Contains(pushed, describeKey(key)) {
			return nil, errors.New("not pushed")
		}
		return nil, nil
	}
	target := s.target()
	target.Push = func(_ context.Context, user string, key ssh.PublicKey) error {
		mu.Lock()
		defer mu.Unlock()
		pushed = append(pushed, describeKey(key))
		if user != "ec2-user" {
			t.Errorf("a key is pushed for %s", user)
		}
		return nil
	}
	for range 2 {
		h := NewHost(target)
		must(t, h.Connect(t.Context()))
		h.Close()
	}
	if len(pushed) != 2 || pushed[0] == pushed[1] || len(slices.Compact(offered)) != 2 {
		t.Errorf("pushed %v, offered %v", pushed, offered)
	}
	target.Push = func(context.Context, string, ssh.PublicKey) error { return errors.New("AWS denies it") }
	if err := NewHost(target).Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "AWS denies it") || len(pushed) != 2 {
		t.Errorf("error %v", err)
	}
}

func TestLogin(t *testing.T) {
	good, stranger, locked := newKeyPair(t, ""), newKeyPair(t, ""), newKeyPair(t, "open sesame")
	right := func(string) ([]byte, error) { return []byte("open sesame"), nil }
	wrong := func(string) ([]byte, error) { return []byte("close"), nil }
	home := t.TempDir()
	must(t, os.Mkdir(filepath.Join(home, ".ssh"), 0o700))
	copyFile(t, good.file, filepath.Join(home, ".ssh", "id_ed25519"))
	public := filepath.Join(t.TempDir(), "key.pub")
	must(t, os.WriteFile(public, []byte(keyLine("", good.pub)[1:]), 0o600))
	tests := []struct {
		name     string
		accept   keyPair
		identity string
		ask      func(string) ([]byte, error)
		agent    []keyPair
		config   string
		home     string
		wrong    string // part of the error
	}{
		{name: "key file", accept: good, identity: good.file},
		{name: "key file with a passphrase", accept: locked, identity: locked.file, ask: right},
		{name: "held by the agent", accept: locked, identity: locked.file, agent: []keyPair{stranger, locked}},
		{name: "agent", accept: good, agent: []keyPair{stranger, good}},
		{name: "public key of one that the agent holds", accept: good, identity: public, agent: []keyPair{good}},
		{name: "default key", accept: good, home: home},
		{name: "ssh_config", accept: good, config: "IdentityFile " + good.file},
		{name: "only the one named in ssh_config", accept: good, agent: []keyPair{good}, config: "IdentitiesOnly yes\nIdentityFile " + stranger.file,
			wrong: "tried " + stranger.file + ". Check"},
		{name: "no agent by ssh_config", accept: good, agent: []keyPair{good}, config: "IdentityAgent none", wrong: "tried no key at all"},
		{name: "none fits", accept: good, agent: []keyPair{stranger, locked}, config: "IdentityFile " + stranger.file,
			wrong: "tried " + stranger.file + ` (held by the agent), agent (1 key). Check that "ec2-user" is the right user there and that the key is in its ~/.ssh/authorized_keys`},
		{name: "wrong passphrase", accept: locked, identity: newLocked(t, locked), ask: wrong, wrong: "the passphrase does not open it"},
		{name: "nobody to ask", accept: locked, identity: newLocked(t, locked), wrong: "ssh-add"},
		{name: "no such file", accept: good, identity: "/no/such/key", wrong: "/no/such/key: no such file"},
		{name: "not a key", accept: good, identity: "/etc/passwd", wrong: "/etc/passwd: not a private key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			s := newServer(t)
			s.authorize(tt.accept.pub)
			t.Setenv("HOME", tt.home+"/")
			t.Setenv("SSH_AUTH_SOCK", "")
			if tt.agent != nil {
				t.Setenv("SSH_AUTH_SOCK", startAgent(t, tt.agent...))
			}
			target := s.target()
			target.Identity, target.Passphrase = tt.identity, tt.ask
			if tt.config != "" {
				target.ConfigFile = writeKnown(t, tt.config)
			}
			h, err := Dial(t.Context(), target)
			if tt.wrong == "" {
				must(t, err)
				h.Close()
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.wrong) || IsTransient(err) {
				t.Errorf("got  %v\nwant %s", err, tt.wrong)
			}
		})
	}
}

// The formats that ssh-keygen writes, old and new.
func TestKeyFormats(t *testing.T) {
	t.Parallel()
	for _, kind := range [][]string{{"-t", "ed25519"}, {"-t", "ecdsa"}, {"-t", "rsa", "-b", "2048"}} {
		for _, args := range [][]string{{"-N", ""}, {"-N", "open sesame"}, {"-N", "", "-m", "PEM"}, {"-N", "open sesame", "-m", "PEM"}} {
			t.Run(strings.Join(append(args, kind[1]), " "), func(t *testing.T) {
				t.Parallel()
				file, pub := keygen(t, slices.Concat(args, kind)...)
				s := newServer(t)
				s.authorize(pub)
				target := s.target()
				target.Identity = file
				target.Passphrase = func(string) ([]byte, error) { return []byte("open sesame"), nil }
				h, err := Dial(t.Context(), target)
				must(t, err)
				h.Close()
			})
		}
	}
}

func TestUserCertificate(t *testing.T) {
	authority, key := newSigner(t), newKeyPair(t, "")
	cert := &ssh.Certificate{Key: key.pub, CertType: ssh.UserCert, ValidPrincipals: []string{"ec2-user"}, ValidBefore: ssh.CertTimeInfinity}
	must(t, cert.SignCert(rand.Reader, authority))
	must(t, os.WriteFile(key.file+"-cert.pub", ssh.MarshalAuthorizedKey(cert), 0o600))
	s := newServer(t)
	checker := ssh.CertChecker{IsUserAuthority: func(k ssh.PublicKey) bool { return sameKey(k, authority.PublicKey()) }}
	s.config.PublicKeyCallback = checker.Authenticate
	target := s.target()
	target.Identity = key.file
	h, err := Dial(t.Context(), target)
	must(t, err)
	h.Close()
}

func TestAskingForAPassphraseEndsWithTheContext(t *testing.T) {
	t.Parallel()
	checkLeaks(t)
	locked := newKeyPair(t, "open sesame")
	s := newServer(t)
	s.authorize(locked.pub)
	target := s.target()
	target.Identity, target.DialTimeout = locked.file, time.Second
	asked, answer := make(chan struct{}), make(chan []byte)
	target.Passphrase = func(string) ([]byte, error) { close(asked); return <-answer, nil }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-asked
		time.AfterFunc(target.DialTimeout+200*time.Millisecond, cancel)
	}()
	if _, err := Dial(ctx, target); !errors.Is(err, context.Canceled) {
		t.Errorf("the dial's clock ran on, or the context was not heard: %v", err)
	}
	answer <- []byte("open sesame")
	target.DialTimeout = 10 * time.Second
	h, err := Dial(t.Context(), target)
	must(t, err)
	h.Close()
}

// newLocked copies a key file: what was asked about one is remembered.
func newLocked(t *testing.T, k keyPair) string {
	file := filepath.Join(t.TempDir(), "key")
	copyFile(t, k.file, file)
	return file
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, text, 0o600))
}

func TestPassphraseIsAskedForOnce(t *testing.T) {
	t.Parallel()
	locked := newKeyPair(t, "open sesame")
	var asked atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		s := newServer(t)
		s.authorize(locked.pub)
		target := s.target()
		target.Identity = locked.file
		target.Passphrase = func(string) ([]byte, error) {
			asked.Add(1)
			return []byte("open sesame"), nil
		}
		wg.Go(func() {
			h, err := Dial(t.Context(), target)
			if err != nil {
				t.Error(err)
				return
			}
			h.Close()
		})
	}
	wg.Wait()
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestTooManyKeys(t *testing.T) {
	var keys []keyPair
	for range 10 {
		keys = append(keys, newKeyPair(t, ""))
	}
	s := newServer(t)
	t.Setenv("SSH_AUTH_SOCK", startAgent(t, keys...))
	target := s.target()
	target.Identity = ""
	_, err := Dial(t.Context(), target)
	if _, ok := errors.AsType[*AuthError](err); !ok || IsTransient(err) || !MayPassAtBoot(err) {
		t.Error(err)
	}
}
