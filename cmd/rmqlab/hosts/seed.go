package hosts

import (
	"archive/tar"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

//go:embed init.sh
var initScript string

// Hosts take keys that EC2 Instance Connect pushed, as those of Amazon Linux do.
var (
	//go:embed pushedkeys.sh
	pushedKeys string
	//go:embed pushedkeys.conf
	pushedKeysConfig string
)

// poweroff makes a host that powers itself off end well, to Docker, which therefore leaves it off.
//
//go:embed poweroff.conf
var poweroff string

// initPath is where a host's first program lies.
const initPath = "/usr/lib/rmqlab/init"

// hostKey is one SSH host key.
type hostKey struct {
	name    string // in /etc/ssh
	public  string // "ssh-ed25519 AAAA…"
	private []byte // OpenSSH PEM
}

// newHostKeys makes what cloud-init would make at a machine's first boot, but before it, so
// that the lab can tell the world what to expect.
func newHostKeys() ([]hostKey, error) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	edKey, err := encodeKey("ssh_host_ed25519_key", ed)
	if err != nil {
		return nil, err
	}
	ecKey, err := encodeKey("ssh_host_ecdsa_key", ec)
	return []hostKey{edKey, ecKey}, err
}

func encodeKey(name string, key crypto.Signer) (hostKey, error) {
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return hostKey{}, fmt.Errorf("encoding %s: %w", name, err)
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return hostKey{}, fmt.Errorf("encoding %s: %w", name, err)
	}
	return hostKey{name, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))), pem.EncodeToMemory(block)}, nil
}

// seedFile is a file or, with a path that ends in "/", a directory of a host.
type seedFile struct {
	path    string
	mode    int64
	owner   int // uid and gid
	content []byte
}

// userID is the uid and gid of User, as on Amazon's machines.
const userID = 1000

// seed is what makes a host of an image: its first program, its keys, its identity.
func seed(keys []hostKey, authorized []byte, resolvConf string) ([]seedFile, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	files := []seedFile{
		{"usr/lib/rmqlab/", 0o755, 0, nil},
		{initPath[1:], 0o755, 0, []byte(initScript)},
		{"usr/lib/rmqlab/resolv.conf", 0o644, 0, []byte(resolvConf)},
		{"usr/lib/rmqlab/pushedkeys", 0o755, 0, []byte(pushedKeys)},
		{"etc/ssh/sshd_config.d/60-pushedkeys.conf", 0o644, 0, []byte(pushedKeysConfig)},
		{"etc/systemd/system/systemd-poweroff.service.d/", 0o755, 0, nil},
		{"etc/systemd/system/systemd-poweroff.service.d/lab.conf", 0o644, 0, []byte(poweroff)},
		{"etc/machine-id", 0o444, 0, []byte(hex.EncodeToString(id) + "\n")},
	}
	for _, k := range keys {
		files = append(files,
			seedFile{"etc/ssh/" + k.name, 0o600, 0, k.private},
			seedFile{"etc/ssh/" + k.name + ".pub", 0o644, 0, []byte(k.public + "\n")})
	}
	return append(files, loginFiles(authorized)...), nil
}

func loginFiles(authorized []byte) []seedFile {
	dir := "home/" + User + "/.ssh/"
	return []seedFile{
		{dir, 0o700, userID, nil},
		{dir + "authorized_keys", 0o600, userID, authorized},
	}
}

func tarOf(files []seedFile) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.path, Mode: f.mode, Uid: f.owner, Gid: f.owner, Size: int64(len(f.content)), Typeflag: tar.TypeReg, ModTime: time.Now()}
		if strings.HasSuffix(f.path, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}
