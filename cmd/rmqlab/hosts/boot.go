package hosts

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Spec is a host to be made.
type Spec struct {
	Name    string
	OS      string // one of Systems or the name of a base image, for the record
	Image   string // the host image's tag
	Address netip.Addr
	Zone    string
}

// Keys are a host's SSH identity, made before the host.
type Keys struct{ keys []hostKey }

// NewKeys makes the SSH identity of one host.
func NewKeys() (Keys, error) {
	keys, err := newHostKeys()
	return Keys{keys}, err
}

// Public are the public keys as in an authorized_keys file.
func (k Keys) Public() []string {
	var lines []string
	for _, key := range k.keys {
		lines = append(lines, key.public)
	}
	return lines
}

// Create makes a host and powers it on, without waiting for it. Instance is its EC2 id,
// authorized the content of User's authorized_keys.
func (l *Lab) Create(ctx context.Context, s Spec, keys Keys, instance string, authorized []byte) error {
	files, err := seed(keys.keys, authorized, machineResolvConf())
	if err != nil {
		return err
	}
	version, err := l.Engine.Docker(ctx, "version", "--format", "{{.Server.Version}}")
	if err != nil {
		return err
	}
	name := l.containerName(s.Name)
	args := l.createArgs(s, keys, instance, dropsMissing(version))
	if _, err := l.Engine.Docker(ctx, args...); err != nil {
		return fmt.Errorf("creating host %s: %w", s.Name, err)
	}
	if err := l.copyInto(ctx, name, files); err != nil {
		return err
	}
	_, err = l.Engine.Docker(ctx, "container", "start", name)
	return err
}

// Authorize lets the keys of an authorized_keys file, and no others, log in as User.
func (l *Lab) Authorize(ctx context.Context, h Host, authorized []byte) error {
	return l.copyInto(ctx, h.container, loginFiles(authorized))
}

// Replacement is the new host that takes the place of one that is lost.
func (l *Lab) Replacement(ctx context.Context, lost Host) (Spec, error) {
	all, err := l.Hosts(ctx)
	if err != nil {
		return Spec{}, err
	}
	var used []netip.Addr
	for _, h := range all {
		used = append(used, h.Address)
	}
	address, err := replacementAddress(l.Subnet, used)
	return Spec{Name: lost.Name, OS: lost.OS, Image: lost.image, Address: address, Zone: lost.Zone}, err
}

func (l *Lab) containerName(host string) string { return "rmqlab-" + l.Name + "-" + host }

// volumes are directories of a host that hold file systems of the inner Docker: overlayfs
// cannot sit on the overlayfs that the host's own root is.
var volumes = []string{"docker", "containerd"}

func (l *Lab) volumeName(host, volume string) string { return l.containerName(host) + "-" + volume }

// dropsMissing reports whether a Docker engine of that version understands "all capabilities"
// as all that this machine has. An older one takes it literally, and a machine that lacks one
// must then say so; a newer one refuses to hear it.
func dropsMissing(version string) bool {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 23
}

func (l *Lab) createArgs(s Spec, keys Keys, instance string, dropsMissing bool) []string {
	args := []string{
		"container", "create", "--name", l.containerName(s.Name), "--hostname", s.Name,
		"--network", l.networkName(), "--ip", s.Address.String(),
		"--cap-add", "ALL",
		"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--security-opt", "systempaths=unconfined",
		"--device-cgroup-rule", "a *:* rwm", "--cgroupns", "private",
		"--tmpfs", "/run", "--tmpfs", "/run/lock",
		"--env", "container=docker", "--stop-signal", "SIGRTMIN+3", "--entrypoint", initPath,
		"--restart", "on-failure", // a host that reboots fails, to Docker, by a signal
		"--label", labelLab + "=" + l.Name, "--label", labelHost + "=" + s.Name,
		"--label", labelAddress + "=" + s.Address.String(), "--label", labelOS + "=" + s.OS,
		"--label", labelZone + "=" + s.Zone, "--label", labelInstance + "=" + instance,
		"--label", labelHostKeys + "=" + strings.Join(keys.Public(), "\n"),
	}
	if !dropsMissing && !canHave(capSysResource) {
		args = append(args, "--cap-drop", "SYS_RESOURCE")
	}
	for _, v := range volumes {
		args = append(args, "--volume", l.volumeName(s.Name, v)+":/var/lib/"+v)
	}
	return append(args, s.Image)
}

// copyInto works on a container that runs as on one that does not yet.
func (l *Lab) copyInto(ctx context.Context, container string, files []seedFile) error {
	archive, err := tarOf(files)
	if err != nil {
		return err
	}
	return l.Engine.DockerIO(ctx, bytes.NewReader(archive), nil, "container", "cp", "-", container+":/")
}

const capSysResource = 24 // linux/capability.h

// canHave reports whether this machine's processes may hold a capability at all.
func canHave(capability int) bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return true
	}
	return inBoundingSet(string(status), capability)
}

func inBoundingSet(status string, capability int) bool {
	for line := range strings.Lines(status) {
		if hex, found := strings.CutPrefix(line, "CapBnd:"); found {
			var set uint64
			if _, err := fmt.Sscanf(strings.TrimSpace(hex), "%x", &set); err == nil {
				return set&(1<<capability) != 0
			}
		}
	}
	return true
}

// AwaitLogin waits until User can log in to a host with key, and the host proves to be the one
// that was made. It dials until then or until ctx ends.
func AwaitLogin(ctx context.Context, h Host, key ssh.Signer) error {
	config := &ssh.ClientConfig{
		User:            User,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: expectKeys(h),
		Timeout:         3 * time.Second,
	}
	var err error
	for {
		if err = login(ctx, net.JoinHostPort(h.Address.String(), "22"), config); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("host %s (%s) did not let %s log in in time: %w; its console: `rmqlab console %s`", h.Name, h.Address, User, err, h.Name)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func expectKeys(h Host) ssh.HostKeyCallback {
	return func(_ string, _ net.Addr, key ssh.PublicKey) error {
		got := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
		for _, want := range h.HostKeys {
			if got == want {
				return nil
			}
		}
		return fmt.Errorf("%s answers with an SSH host key that is not %s's", h.Address, h.Name)
	}
}

// login proves that a session opens and a command runs: sshd accepts connections before
// systemd lets users in.
func login(ctx context.Context, address string, config *ssh.ClientConfig) error {
	conn, err := (&net.Dialer{Timeout: config.Timeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * config.Timeout)); err != nil {
		return err
	}
	c, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if err != nil {
		return err
	}
	client := ssh.NewClient(c, channels, requests)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	defer session.Close()
	return session.Run("true")
}
