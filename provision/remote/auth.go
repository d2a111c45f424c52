package remote

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// AuthError says that a host refused every key. It is not transient, but see
// [MayPassAtBoot].
type AuthError struct {
	Who    string
	User   string
	Tried  []string // "agent (2 keys)", "/home/me/.ssh/id_ed25519"
	Notes  []string // why other keys were not tried
	Banner string   // what the server said
	Err    error
}

func (e *AuthError) Error() string {
	tried := "no key at all"
	if len(e.Tried) > 0 {
		tried = strings.Join(e.Tried, ", ")
	}
	msg := fmt.Sprintf("%s: login refused; tried %s", e.Who, tried)
	if len(e.Notes) > 0 {
		msg += " (" + strings.Join(e.Notes, "; ") + ")"
	}
	if e.Banner != "" {
		msg += fmt.Sprintf("; the server said %q", e.Banner)
	}
	if tooManyTries(e.Err) {
		return msg + ". The server stopped after its MaxAuthTries: name one key (identity in the inventory, or IdentityFile with IdentitiesOnly)"
	}
	return fmt.Sprintf("%s. Check that %q is the right user there and that the key is in its ~/.ssh/authorized_keys", msg, e.User)
}

func (e *AuthError) Unwrap() error { return e.Err }

// keyring has the keys for one dial, in the order in which they are offered.
type keyring struct {
	settings
	ctx     context.Context // the dial's
	ask     func(path string) ([]byte, error)
	push    func(ctx context.Context, user string, key ssh.PublicKey) error
	pause   func() (resume func()) // stops the dial's clock while a human is asked
	signers []ssh.Signer
	tried   []string
	notes   []string
	agent   net.Conn // open while the dial may sign
	// err is of a key that a server would have taken and that could not
	// sign: x/crypto goes on and returns what comes last.
	err error
}

// load gathers keys: first those of the agent that a key file names, then the
// agent's others, then the key files, as OpenSSH does.
func (k *keyring) load() error {
	if k.push != nil {
		return k.pushed()
	}
	files, err := k.files()
	if err != nil {
		return err
	}
	held := k.held(files)
	var left []*identity
	for _, id := range files {
		i := slices.IndexFunc(held, func(s ssh.Signer) bool { return id.pub != nil && sameKey(s.PublicKey(), id.pub) })
		if i < 0 {
			left = append(left, id)
			continue
		}
		k.offer(id.path+" (held by the agent)", id.cert, held[i])
		held = slices.Delete(held, i, i+1)
	}
	if len(held) > 0 && !k.identitiesOnly {
		k.tried = append(k.tried, fmt.Sprintf("agent (%d %s)", len(held), plural(len(held), "key")))
		k.signers = append(k.signers, held...)
	}
	for _, id := range left {
		k.offerFile(id)
	}
	return nil
}

// pushed makes a key for this dial and has the host let it in.
func (k *keyring) pushed() error {
	_, private, err := ed25519.GenerateKey(nil) // from crypto/rand
	if err != nil {
		return err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return err
	}
	if err := k.push(k.ctx, k.user, signer.PublicKey()); err != nil {
		return fmt.Errorf("%s: %w", k.who(), err)
	}
	k.offer("a key pushed for this login", nil, signer)
	return nil
}

// files reads the key files that exist. One that the inventory names must.
func (k *keyring) files() ([]*identity, error) {
	var out []*identity
	for _, path := range k.identities {
		id, err := loadIdentity(path)
		switch {
		case err == nil:
			out = append(out, id)
		case k.explicit:
			return nil, fmt.Errorf("%s: reading the key to log in with: %w", k.who(), err)
		case !errors.Is(err, fs.ErrNotExist):
			k.notes = append(k.notes, err.Error())
		}
	}
	return out, nil
}

// held lists the agent's keys. The agent is left alone when the one key to be
// used is in a file that can be read without it.
func (k *keyring) held(files []*identity) []ssh.Signer {
	if k.settings.agent == "" || k.explicit && len(files) == 1 && files[0].raw == nil && files[0].usable() {
		return nil
	}
	conn, err := net.Dial("unix", k.settings.agent)
	if err != nil {
		k.notes = append(k.notes, fmt.Sprintf("the agent does not answer: %v", err))
		return nil
	}
	k.agent = conn
	context.AfterFunc(k.ctx, func() { conn.Close() })
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		k.notes = append(k.notes, fmt.Sprintf("the agent lists no keys: %v", err))
	}
	for i, s := range signers {
		signers[i] = patientSigner{s, k}
	}
	return signers
}

func (k *keyring) offerFile(id *identity) {
	switch {
	case !id.usable():
		k.notes = append(k.notes, id.path+" is a public key, and no agent holds its private half")
	case id.raw == nil:
		k.offer(id.path, id.cert, id.signer)
	case id.pub != nil:
		k.offer(id.path, id.cert, lazySigner{id, k})
	default:
		k.offerHidden(id)
	}
}

// offerHidden offers a key of the old PEM format without a .pub file beside it:
// it must be decrypted to know what to offer.
func (k *keyring) offerHidden(id *identity) {
	signer, err := k.unlock(id)
	if err != nil {
		k.notes = append(k.notes, err.Error())
		return
	}
	k.offer(id.path, id.cert, signer)
}

// unlock asks for a passphrase with the dial's clock stopped.
func (k *keyring) unlock(id *identity) (ssh.Signer, error) {
	defer k.pause()()
	signer, err := id.unlock(k.ctx, k.ask)
	if err != nil && k.err == nil {
		k.err = err
	}
	return signer, err
}

// offer adds a key, its certificate first.
func (k *keyring) offer(name string, cert *ssh.Certificate, signer ssh.Signer) {
	k.tried = append(k.tried, name)
	if cert != nil {
		if certified, err := ssh.NewCertSigner(cert, signer); err == nil {
			k.signers = append(k.signers, certified)
		}
	}
	k.signers = append(k.signers, signer)
}

func (k *keyring) close() {
	if k.agent != nil {
		k.agent.Close()
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
