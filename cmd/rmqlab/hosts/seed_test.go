package hosts

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

func TestSeed(t *testing.T) {
	keys, err := newHostKeys()
	if err != nil {
		t.Fatal(err)
	}
	files, err := seed(keys, []byte("ssh-ed25519 AAAA\n"), "nameserver 192.0.2.1\n")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := tarOf(files)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"0755 0 usr/lib/rmqlab/",
		"0755 0 usr/lib/rmqlab/init",
		"0644 0 usr/lib/rmqlab/resolv.conf",
		"0755 0 usr/lib/rmqlab/pushedkeys",
		"0644 0 etc/ssh/sshd_config.d/60-pushedkeys.conf",
		"0755 0 etc/systemd/system/systemd-poweroff.service.d/",
		"0644 0 etc/systemd/system/systemd-poweroff.service.d/lab.conf",
		"0444 0 etc/machine-id",
		"0600 0 etc/ssh/ssh_host_ed25519_key",
		"0644 0 etc/ssh/ssh_host_ed25519_key.pub",
		"0600 0 etc/ssh/ssh_host_ecdsa_key",
		"0644 0 etc/ssh/ssh_host_ecdsa_key.pub",
		"0700 1000 home/ec2-user/.ssh/",
		"0600 1000 home/ec2-user/.ssh/authorized_keys",
	}
	if diff := cmp.Diff(want, listing(t, archive)); diff != "" {
		t.Error(diff)
	}
}

func listing(t *testing.T, archive []byte) []string {
	t.Helper()
	var lines []string
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != h.Gid {
			t.Errorf("%s: uid %d, gid %d", h.Name, h.Uid, h.Gid)
		}
		lines = append(lines, fmt.Sprintf("%04o %d %s", h.Mode, h.Uid, h.Name))
	}
}

func TestHostKeysMatch(t *testing.T) {
	keys, err := newHostKeys()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		signer, err := ssh.ParsePrivateKey(key.private)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))); got != key.public {
			t.Errorf("%s: private key of %s beside %s", key.name, got, key.public)
		}
	}
}

func TestCreateArgsDropOnlyWhatTheMachineLacks(t *testing.T) {
	l := &Lab{Name: "lab"}
	args := l.createArgs(Spec{Name: "node-1", Image: "image"}, Keys{}, "", false)
	if dropped := slices.Contains(args, "--cap-drop"); dropped == canHave(capSysResource) {
		t.Errorf("the machine can have SYS_RESOURCE: %v; dropped: %v", canHave(capSysResource), dropped)
	}
	if slices.Contains(l.createArgs(Spec{}, Keys{}, "", true), "--cap-drop") {
		t.Error("dropped for an engine that refuses it")
	}
	if last := args[len(args)-1]; last != "image" {
		t.Errorf("the last argument is %s", last)
	}
}

func TestDropsMissing(t *testing.T) {
	for version, want := range map[string]bool{"20.10.24+dfsg1": false, "26.1.5+dfsg1": true, "23.0.0": true, "29.9.3": true, "": false} {
		if got := dropsMissing(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestInBoundingSet(t *testing.T) {
	tests := []struct {
		status string
		want   bool
	}{
		{"Name:\tx\nCapBnd:\t000001fffeffffff\n", false},
		{"Name:\tx\nCapBnd:\t000001ffffffffff\n", true},
		{"Name:\tx\n", true}, // a kernel that does not say
	}
	for _, test := range tests {
		if got := inBoundingSet(test.status, capSysResource); got != test.want {
			t.Errorf("%q: %v", test.status, got)
		}
	}
}

func TestReachableServers(t *testing.T) {
	tests := map[string]string{
		"nameserver 192.0.2.53\nsearch example.org\n":            "nameserver 192.0.2.53\n",
		"# by systemd-resolved\nnameserver 127.0.0.53\n":         "",
		"nameserver ::1\nnameserver fd00::1\nnameserver 8.8.8.8": "nameserver 8.8.8.8\n",
		"": "",
	}
	for text, want := range tests {
		if got := reachableServers(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
