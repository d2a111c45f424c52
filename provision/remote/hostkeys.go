package remote

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// HostKeyError says that a host was refused for its key, before anything was
// sent that authenticates us. It is never transient.
type HostKeyError struct {
	Who    string   // the host, as errors name it
	Reason string   // "unknown", "changed", "revoked" or "not certified"
	Seen   string   // type and fingerprint of the key that the host showed
	Known  []string // the keys that are on record, each as FILE:LINE: TYPE SHA256:…
	Advice string
}

func (e *HostKeyError) Error() string {
	var b strings.Builder
	switch e.Reason {
	case "changed":
		fmt.Fprintf(&b, "%s: THE HOST KEY HAS CHANGED: the host shows %s", e.Who, e.Seen)
	case "unknown":
		fmt.Fprintf(&b, "%s: the host key is not known: the host shows %s", e.Who, e.Seen)
	default:
		fmt.Fprintf(&b, "%s: the host key is %s: the host shows %s", e.Who, e.Reason, e.Seen)
	}
	for _, k := range e.Known {
		fmt.Fprintf(&b, "; on record %s", k)
	}
	fmt.Fprintf(&b, ". Nothing was sent to it. %s", e.Advice)
	return b.String()
}

// hostKeys decides on the key that one host shows.
type hostKeys struct {
	settings
	lines []knownLine // all lines of the files
	about []knownLine // those about this host
}

func readHostKeys(s settings) (*hostKeys, error) {
	k := &hostKeys{settings: s}
	return k, k.read()
}

func (k *hostKeys) read() error {
	lines, err := readKnownHosts(slices.Concat(k.knownHosts, k.systemHosts))
	if err != nil {
		return fmt.Errorf("%s: reading known hosts: %w", k.who(), err)
	}
	k.lines, k.about = lines, nil
	for _, l := range lines {
		if l.marker != "revoked" && l.matches(k.keyName) {
			k.about = append(k.about, l)
		}
	}
	return nil
}

func (k *hostKeys) algorithms() []string { return hostKeyAlgorithms(k.about) }

// check is an ssh.HostKeyCallback.
func (k *hostKeys) check(_ string, remote net.Addr, key ssh.PublicKey) error {
	if l := k.revoked(key); l != nil {
		return k.refuse("revoked", key, []knownLine{*l},
			"Someone may have stolen it: give the host new keys, or find out who answers at this address.")
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		return k.checkCertificate(cert, remote)
	}
	known := k.plain()
	switch {
	case slices.ContainsFunc(known, func(l knownLine) bool { return sameKey(l.key, key) }):
		return nil
	case len(known) > 0:
		return k.changed(key, known)
	case k.policy == AcceptNew:
		return k.accept(key)
	}
	return k.refuse("unknown", key, nil, fmt.Sprintf(
		"Compare that fingerprint with the host's own (there: ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub), then record it "+
			"(`ssh -o UserKnownHostsFile=%s -p %d %s@%s`), or set host_keys = %q to trust the first key a host shows.",
		keyFamily(key), k.file(), k.port, k.user, k.host, AcceptNew))
}

func (k *hostKeys) plain() []knownLine {
	return slices.DeleteFunc(slices.Clone(k.about), func(l knownLine) bool { return l.marker != "" })
}

// revoked looks at every revoked line, whatever hosts it names: a key that is
// known to be stolen is good for none.
func (k *hostKeys) revoked(key ssh.PublicKey) *knownLine {
	keys := []ssh.PublicKey{key}
	if cert, ok := key.(*ssh.Certificate); ok {
		keys = append(keys, cert.Key, cert.SignatureKey)
	}
	for i := range k.lines { // by index: its address is taken, and a copy of every line would go to the heap
		l := &k.lines[i]
		if l.marker == "revoked" && slices.ContainsFunc(keys, func(have ssh.PublicKey) bool { return sameKey(have, l.key) }) {
			return l
		}
	}
	return nil
}

func (k *hostKeys) checkCertificate(cert *ssh.Certificate, remote net.Addr) error {
	checker := ssh.CertChecker{IsHostAuthority: func(authority ssh.PublicKey, _ string) bool {
		return slices.ContainsFunc(k.about, func(l knownLine) bool {
			return l.marker == "cert-authority" && sameKey(l.key, authority)
		})
	}}
	if err := checker.CheckHostKey(k.address(), remote, cert); err != nil {
		return k.refuse("not certified", cert.Key, nil,
			fmt.Sprintf("Its certificate does not hold (%v): sign the host's key anew, or correct the @cert-authority line in %s.", err, k.file()))
	}
	return nil
}

func (k *hostKeys) changed(key ssh.PublicKey, known []knownLine) error {
	return k.refuse("changed", key, known, fmt.Sprintf(
		"Either the host was built anew or another machine answers at its address. Compare the fingerprint with the host's own "+
			"(on its console: ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub); only if they are the same, forget the old key: ssh-keygen -R '%s' -f %s",
		keyFamily(key), k.keyName, known[0].file))
}

func (k *hostKeys) refuse(reason string, key ssh.PublicKey, known []knownLine, advice string) error {
	e := &HostKeyError{Who: k.who(), Reason: reason, Seen: describeKey(key), Advice: advice}
	for _, l := range known {
		e.Known = append(e.Known, fmt.Sprintf("%s:%d: %s", l.file, l.line, describeKey(l.key)))
	}
	return e
}

// file is where new keys are recorded.
func (k *hostKeys) file() string {
	if len(k.knownHosts) == 0 {
		return os.DevNull
	}
	return k.knownHosts[0]
}

// appending makes reading known_hosts again and appending to it one act.
var appending sync.Mutex

// accept records the first key of a host. Another goroutine may have recorded
// one since the file was read, so it is read again.
func (k *hostKeys) accept(key ssh.PublicKey) error {
	appending.Lock()
	defer appending.Unlock()
	if err := k.read(); err != nil {
		return err
	}
	if known := k.plain(); len(known) > 0 {
		if slices.ContainsFunc(known, func(l knownLine) bool { return sameKey(l.key, key) }) {
			return nil
		}
		return k.changed(key, known)
	}
	if err := appendKnownHost(k.file(), k.line(key)); err != nil {
		return fmt.Errorf("%s: recording its host key %s: %w; make the file writable, or name another as known_hosts",
			k.who(), describeKey(key), err)
	}
	return nil
}

func (k *hostKeys) line(key ssh.PublicKey) string {
	name := k.keyName
	if k.hashNames {
		name = knownhosts.HashHostname(name)
	}
	return name + " " + string(ssh.MarshalAuthorizedKey(key))
}

// appendKnownHost adds a line with one write, so that another program that
// appends at the same time cannot end up in the middle of it.
func appendKnownHost(file, line string) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if unfinished(f) {
		line = "\n" + line
	}
	_, err = f.WriteString(line)
	return err
}

// unfinished says whether the last line of f lacks its newline.
func unfinished(f *os.File) bool {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, end-1)
	return err == nil && last[0] != '\n'
}

func describeKey(key ssh.PublicKey) string { return key.Type() + " " + ssh.FingerprintSHA256(key) }

// keyFamily is the word in the name of the file that sshd keeps such a key in.
func keyFamily(key ssh.PublicKey) string {
	switch {
	case key.Type() == ssh.KeyAlgoED25519:
		return "ed25519"
	case key.Type() == ssh.KeyAlgoRSA:
		return "rsa"
	case strings.HasPrefix(key.Type(), "ecdsa-"):
		return "ecdsa"
	}
	return "*"
}
