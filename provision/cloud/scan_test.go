package cloud

import (
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/rmqprov/rmqprov/inventory"
)

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func newKey(t *testing.T) ssh.PublicKey { return newSigner(t).PublicKey() }

// TestScan lets a server that has one key be asked for three types.
func TestScan(t *testing.T) {
	signer := newSigner(t)
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, _, _, err := ssh.NewServerConn(conn, config); err == nil {
					t.Error("somebody logged in")
				}
			}()
		}
	}()
	h := inventory.Host{Address: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port}
	keys, err := scanner{}.scan(t.Context(), h)
	if err != nil || len(keys) != 1 || !same(keys[0], signer.PublicKey()) {
		t.Errorf("keys %v, %v", keys, err)
	}
	listener.Close()
	if _, err := (scanner{}).scan(t.Context(), h); err == nil {
		t.Error("a host that does not answer has no keys, and there is no error")
	}
}
