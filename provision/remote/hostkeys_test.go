package remote

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// writeKnown writes a known_hosts file and returns its name.
func writeKnown(t *testing.T, lines ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	must(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return file
}

func keyLine(names string, key ssh.PublicKey) string {
	return names + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func TestHostKeys(t *testing.T) {
	host, other := hostKey(t).PublicKey(), newSigner(t).PublicKey()
	s := newServer(t)
	name := fmt.Sprintf("[127.0.0.1]:%d", s.port())
	tests := []struct {
		name   string
		lines  []string
		policy HostKeyPolicy
		reason string // "" connects
		line   int    // on record
	}{
		{"known", []string{keyLine(name, host)}, KnownHosts, "", 0},
		{"known under a hash", []string{keyLine(knownhosts.HashHostname(name), host)}, KnownHosts, "", 0},
		{"known by a pattern", []string{keyLine(strings.Replace(name, "127.0.0.1", "127.*.?.1", 1), host)}, KnownHosts, "", 0},
		{"known as one of several", []string{keyLine("a,"+name+",b", other), keyLine(name, host)}, KnownHosts, "", 0},
		{"a line that cannot be read", []string{"# comment", "nonsense", keyLine(name, host)}, KnownHosts, "", 0},
		{"known for another port", []string{keyLine("127.0.0.1", host)}, KnownHosts, "unknown", 0},
		{"excluded", []string{keyLine("[127.0.0.1]:*,!"+name, host)}, KnownHosts, "unknown", 0},
		{"unknown", nil, KnownHosts, "unknown", 0},
		{"new", nil, AcceptNew, "", 0},
		{"changed", []string{"# comment", "", keyLine(name, other)}, KnownHosts, "changed", 3},
		{"changed, new ones accepted", []string{keyLine(knownhosts.HashHostname(name), other)}, AcceptNew, "changed", 1},
		{"of another type than known", []string{keyLine(name, newECDSASigner(t).PublicKey())}, AcceptNew, "changed", 1},
		{"revoked", []string{keyLine(name, host), keyLine("@revoked *", host)}, AcceptNew, "revoked", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := s.target()
			target.KnownHosts, target.HostKeys, target.Identity = writeKnown(t, tt.lines...), tt.policy, keyPairOf(t, "TestHostKeys").file
			h, err := Dial(t.Context(), target)
			if tt.reason == "" {
				must(t, err)
				h.Close()
				return
			}
			refused, ok := errors.AsType[*HostKeyError](err)
			if !ok || refused.Reason != tt.reason {
				t.Fatalf("error %v", err)
			}
			if IsTransient(err) || !strings.Contains(err.Error(), ssh.FingerprintSHA256(host)) {
				t.Error(err)
			}
			if want := fmt.Sprintf("%s:%d: ", target.KnownHosts, tt.line); tt.line > 0 && !strings.Contains(err.Error(), want) {
				t.Errorf("%v\nlacks %s", err, want)
			}
		})
	}
}

// keyPairOf returns the key that the server of a test accepts in its subtests.
func keyPairOf(t *testing.T, test string) keyPair {
	k, ok := keyPairs.Load(test)
	if !ok {
		t.Fatal("no key")
	}
	return k.(keyPair)
}

func TestChangedKeyStopsBeforeLogin(t *testing.T) {
	s := newServer(t)
	asked := false
	s.config.NoClientAuth = true
	s.config.NoClientAuthCallback = func(ssh.ConnMetadata) (*ssh.Permissions, error) {
		asked = true
		return nil, nil
	}
	target := s.target()
	target.KnownHosts = writeKnown(t, keyLine(fmt.Sprintf("[127.0.0.1]:%d", s.port()), newSigner(t).PublicKey()))
	if _, err := Dial(t.Context(), target); err == nil {
		t.Fatal("connected")
	}
	if asked {
		t.Error("the server was asked for a login")
	}
}

// The server prefers its ECDSA key; only its Ed25519 key is on record.
func TestTheKnownKeyTypeIsAskedFor(t *testing.T) {
	s := newServer(t, newECDSASigner(t), hostKey(t))
	h, err := Dial(t.Context(), s.target())
	must(t, err)
	h.Close()
}

func TestHostCertificates(t *testing.T) {
	authority, plain := newSigner(t), newSigner(t)
	for _, tt := range []struct {
		name, principal string
		works           bool
	}{{"for this host", "127.0.0.1", true}, {"for another", "10.0.0.9", false}} {
		t.Run(tt.name, func(t *testing.T) {
			cert := &ssh.Certificate{Key: plain.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{tt.principal}, ValidBefore: ssh.CertTimeInfinity}
			must(t, cert.SignCert(rand.Reader, authority))
			signer, err := ssh.NewCertSigner(cert, plain)
			must(t, err)
			s := newServer(t, signer)
			target := s.target()
			target.KnownHosts = writeKnown(t, keyLine("@cert-authority *", authority.PublicKey()))
			h, err := Dial(t.Context(), target)
			if (err == nil) != tt.works {
				t.Error(err)
			}
			if err == nil {
				h.Close()
			}
		})
	}
}

func TestAcceptNewRecordsOnce(t *testing.T) {
	for _, hash := range []bool{false, true} {
		t.Run(fmt.Sprint("hashed ", hash), func(t *testing.T) {
			s := newServer(t)
			file := filepath.Join(t.TempDir(), "new", "known_hosts")
			target := s.target()
			target.KnownHosts, target.HostKeys = file, AcceptNew
			if hash {
				target.ConfigFile = writeKnown(t, "HashKnownHosts yes")
			}
			var wg sync.WaitGroup
			for range 5 {
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
			text, err := os.ReadFile(file)
			must(t, err)
			info, err := os.Stat(file)
			must(t, err)
			if strings.Count(string(text), "\n") != 1 || strings.HasPrefix(string(text), "|1|") != hash || info.Mode().Perm() != 0o600 {
				t.Errorf("%v %s", info.Mode(), text)
			}
			target.HostKeys = KnownHosts
			h, err := Dial(t.Context(), target)
			must(t, err)
			h.Close()
		})
	}
}

func TestAcceptNewKeepsAnUnfinishedLine(t *testing.T) {
	file := writeKnown(t)
	must(t, os.WriteFile(file, []byte(keyLine("a", newSigner(t).PublicKey())), 0o600))
	must(t, appendKnownHost(file, keyLine("b", newSigner(t).PublicKey())+"\n"))
	lines, err := readKnownHosts([]string{file})
	if err != nil || len(lines) != 2 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}
