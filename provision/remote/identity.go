package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"
)

// identity is a key file. An encrypted one is decrypted when it first signs,
// which is after a server has said that it would accept the key.
type identity struct {
	path string
	pub  ssh.PublicKey    // nil when an old format hides it and there is no .pub file
	cert *ssh.Certificate // of PATH-cert.pub
	raw  []byte           // the file while it is encrypted

	// unlocking guards the two below in an encrypted file.
	unlocking gate
	signer    ssh.Signer
	err       error // of asking for the passphrase, which is done once
}

// identities keeps the encrypted key files of the process, so that a
// passphrase is asked for once and not once a host.
var identities = struct {
	sync.Mutex
	byPath map[string]*identity
}{byPath: map[string]*identity{}}

// loadIdentity reads a key file in any of OpenSSH's formats, or a public key
// whose private half an agent holds.
func loadIdentity(path string) (*identity, error) {
	identities.Lock()
	defer identities.Unlock()
	if id := identities.byPath[path]; id != nil {
		return id, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	id := &identity{path: path, unlocking: newGate(), cert: readCertificate(path + "-cert.pub")}
	id.signer, err = ssh.ParsePrivateKey(raw)
	if missing, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok {
		id.raw, id.pub = raw, missing.PublicKey
		if id.pub == nil {
			id.pub = readPublicKey(path + ".pub")
		}
		identities.byPath[path] = id
		return id, nil
	}
	if err == nil {
		id.pub = id.signer.PublicKey()
		return id, nil
	}
	if id.pub, _, _, _, _ = ssh.ParseAuthorizedKey(raw); id.pub != nil {
		return id, nil
	}
	return nil, fmt.Errorf("%s: not a private key that can be read: %w", path, err)
}

func readPublicKey(path string) ssh.PublicKey {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(raw)
	if err != nil {
		return nil
	}
	return key
}

func readCertificate(path string) *ssh.Certificate {
	cert, _ := readPublicKey(path).(*ssh.Certificate)
	return cert
}

// usable says whether the file has a private key, encrypted or not. The signer
// of an encrypted one is not looked at: another dial may be setting it.
func (id *identity) usable() bool { return id.raw != nil || id.signer != nil }

// unlock returns the signer, asking for the passphrase if that was not done.
// When ctx ends while a human is asked, the answer is kept for the next dial.
func (id *identity) unlock(ctx context.Context, ask func(path string) ([]byte, error)) (ssh.Signer, error) {
	if err := id.unlocking.enter(ctx); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		if id.signer == nil && id.err == nil {
			id.signer, id.err = id.decrypt(ask)
		}
		close(done)
		id.unlocking.leave()
	}()
	select {
	case <-done:
		return id.signer, id.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (id *identity) decrypt(ask func(path string) ([]byte, error)) (ssh.Signer, error) {
	if ask == nil {
		return nil, fmt.Errorf("%s needs a passphrase and nobody can be asked: load it into an agent (ssh-add %s)", id.path, id.path)
	}
	passphrase, err := ask(id.path)
	if err != nil {
		return nil, fmt.Errorf("the passphrase of %s: %w", id.path, err)
	}
	defer clear(passphrase)
	signer, err := ssh.ParsePrivateKeyWithPassphrase(id.raw, passphrase)
	if err != nil {
		return nil, fmt.Errorf("%s: the passphrase does not open it: %w", id.path, err)
	}
	return signer, nil
}

// lazySigner offers a key at once and unlocks it to sign.
type lazySigner struct {
	id   *identity
	ring *keyring
}

var _ ssh.AlgorithmSigner = lazySigner{}

func (s lazySigner) PublicKey() ssh.PublicKey { return s.id.pub }

func (s lazySigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, s.id.pub.Type())
}

func (s lazySigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := s.ring.unlock(s.id)
	if err != nil {
		return nil, err
	}
	return signWith(signer, rand, data, algorithm)
}

// patientSigner is a key of the agent. Its owner may have to confirm a
// signature or to touch a token, which is not the host's delay.
type patientSigner struct {
	ssh.Signer
	ring *keyring
}

var _ ssh.AlgorithmSigner = patientSigner{}

func (s patientSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	defer s.ring.pause()()
	return signWith(s.Signer, rand, data, algorithm)
}

func signWith(signer ssh.Signer, rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	able, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return nil, fmt.Errorf("a key of type %s cannot sign with %s", signer.PublicKey().Type(), algorithm)
	}
	return able.SignWithAlgorithm(rand, data, algorithm)
}
