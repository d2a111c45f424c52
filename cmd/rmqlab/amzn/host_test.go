//go:build lab

package amzn_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
	"github.com/rmqprov/rmqprov/cmd/rmqlab/hosts"
)

// host is a booted stand-in with a login.
type host struct {
	t      *testing.T
	name   string
	client *ssh.Client
}

// run runs a command as ec2-user and returns its output, both streams, and exit status.
func (h host) run(command string) (string, int) {
	h.t.Helper()
	session, err := h.client.NewSession()
	if err != nil {
		h.t.Fatal(err)
	}
	defer session.Close()
	start := time.Now()
	out, err := session.CombinedOutput(command)
	h.t.Logf("%s: %4.1f s: %s", h.name, time.Since(start).Seconds(), command)
	if exit, ok := errors.AsType[*ssh.ExitError](err); ok {
		return string(out), exit.ExitStatus()
	}
	if err != nil {
		h.t.Fatalf("%s: %s: %v", h.name, command, err)
	}
	return string(out), 0
}

// want runs a command that must end with status 0 and an output that matches.
func (h host) want(command, match string) string {
	h.t.Helper()
	out, status := h.run(command)
	if status != 0 || !regexp.MustCompile(match).MatchString(out) {
		h.t.Errorf("%s: %s: exit status %d, want 0 and %q in:\n%s", h.name, command, status, match, out)
	}
	return strings.TrimSpace(out)
}

// fails runs a command that must not end with status 0.
func (h host) fails(command, match string) {
	h.t.Helper()
	out, status := h.run(command)
	if status == 0 || !regexp.MustCompile(match).MatchString(out) {
		h.t.Errorf("%s: %s: exit status %d, want failure and %q in:\n%s", h.name, command, status, match, out)
	}
}

// TestHosts boots both stand-ins and does with them what a provisioner does. It
// needs root and the lab's engine, and takes a minute or more: go test -tags lab.
func TestHosts(t *testing.T) {
	lab := newLab(t)
	al2023, al2 := boot(t, lab, "amzn2023", 1), boot(t, lab, "amzn2", 2)
	for _, h := range []host{al2023, al2} {
		bare(h)
	}
	bare2023(al2023)
	bare2(al2)
	waits(al2023, "dnf", "sudo dnf install -y docker", "Waiting for process with pid")
	waits(al2, "yum", "sudo amazon-linux-extras install docker -y", "Another app is currently holding the yum lock")
	al2.want("sudo yum list installed docker", `docker.x86_64 +25`)
	for _, h := range []host{al2023, al2} {
		docker(h)
	}
	swarm(al2023, al2)
}

func bare(h host) {
	h.want("id", `ec2-user.*\(wheel\)`)
	h.want("systemctl is-system-running --wait", "^running")
	h.want("systemctl is-active sshd", "^active")
	h.fails("systemctl cat ssh", "")
	h.want("readlink /bin/sh", "^bash")
	h.want("sudo sh -c 'echo $PATH'", `^/sbin:/bin:/usr/sbin:/usr/bin\n`)
	h.want("rpm -q bash systemd openssh-server sudo system-release", "system-release-2")
	h.fails("command -v apt-get || command -v dpkg || test -e /etc/apt || test -e /etc/debian_version", "^$")
	h.fails("rpm -q docker", "not installed")
}

func bare2023(h host) {
	h.want("cat /etc/os-release", `ID="amzn"\n(.*\n)*VERSION_ID="2023"`)
	h.want("cat /etc/system-release", "Amazon Linux release 2023")
	h.want("readlink -f /usr/bin/yum", "dnf-3")
	h.fails("command -v amazon-linux-extras || sudo which iptables", "^$")
	h.fails("sudo dnf install -y curl", "curl-minimal.*conflicts with curl")
}

func bare2(h host) {
	h.want("cat /etc/os-release", `ID="amzn"\n(.*\n)*VERSION_ID="2"`)
	h.want("cat /etc/system-release", `Amazon Linux release 2 \(Karoo\)`)
	h.fails("command -v dnf || command -v microdnf", "^$")
	h.want("sudo which iptables", "iptables")
	h.want("amazon-linux-extras list", "docker +available")
	h.fails("amazon-linux-extras install docker -y", "root")
	h.fails("sudo amazon-linux-extras install -y nothing", "Topic nothing is not found")
	h.fails("sudo yum install -y docker", "Unable to find a match: docker")
}

// waits installs Docker while another installation holds the lock.
func waits(h host, manager, install, waiting string) {
	h.t.Helper()
	var other sync.WaitGroup
	other.Go(func() { h.want("sudo "+manager+" install -y rmqlab-slow", "Complete!") })
	h.want("until pgrep -x -f 'sleep 15'; do sleep .1; done", "") // its script is what takes so long
	h.want(install, "(?s)"+waiting+".*Complete!")
	other.Wait()
}

// testImage makes a container image of the host's own files, since no registry is at hand.
const testImage = `cd / && sudo tar -c bin lib lib64 usr/bin/bash usr/bin/getent usr/bin/sleep usr/lib/*-linux-gnu usr/lib64 etc/nsswitch.conf | sudo docker import - probe:1`

func docker(h host) {
	h.want("rpm -q docker", `^docker-25\.0\.\d+-1\.amzn`)
	h.want("systemctl is-enabled docker docker.socket containerd || true", `^disabled\ndisabled\ndisabled\n`)
	h.want("systemctl is-active docker docker.socket containerd || true", `^inactive\ninactive\ninactive\n`)
	h.want("getent group docker", `^docker:x:\d+:\n`)
	h.want("sudo systemctl enable --now docker", "")
	h.want("systemctl is-active docker docker.socket containerd", `^active\nactive\nactive\n`)
	h.fails("docker version", "permission denied")
	h.want("sudo docker version --format '{{.Server.APIVersion}}'", `^1\.\d+`)
	h.want("systemctl show docker --property LimitNOFILE", "infinity")
	h.want(testImage, "sha256:")
	h.want(`sudo docker run --rm probe:1 bash -c 'ulimit -n; ulimit -Hn'`, `^8192\n16384\n`)
	h.want("sudo systemctl restart docker && systemctl is-system-running", "running")
}

func swarm(first, second host) {
	first.want("sudo docker swarm init --advertise-addr eth0", "now a manager")
	token := first.want("sudo docker swarm join-token --quiet manager", "^SWMTKN-")
	second.want(fmt.Sprintf("sudo docker swarm join --token %s %s:2377", token, first.address()), "joined a swarm as a manager")
	first.want("sudo docker node ls", "(?s)Leader.*Reachable|Reachable.*Leader")
	first.want("sudo docker network create --driver overlay --attachable --subnet 10.0.1.0/24 prod", "")
	first.want("sudo docker run --detach --name far --hostname far --network prod probe:1 sleep 600", "")
	second.want("sudo docker run --rm --network prod probe:1 getent hosts far", `^10\.0\.1\.`)
	// Nothing listens there, and the answer that says so came over the overlay.
	second.fails("sudo docker run --rm --network prod probe:1 bash -c 'exec 3<>/dev/tcp/far/1'", "Connection refused")
}

func (h host) address() string {
	address, _, _ := strings.Cut(h.client.RemoteAddr().String(), ":")
	return address
}

func newLab(t *testing.T) *hosts.Lab {
	e, err := engine.Start(t.Context(), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lab := &hosts.Lab{Engine: e, Name: "amzn-test", Subnet: netip.MustParsePrefix("10.79.1.0/24")}
	if err := lab.Network(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeLab(t, lab) })
	return lab
}

func removeLab(t *testing.T, lab *hosts.Lab) {
	ctx := context.WithoutCancel(t.Context())
	all, err := lab.Hosts(ctx)
	for _, h := range all {
		err = errors.Join(err, lab.Remove(ctx, h))
	}
	if err = errors.Join(err, lab.RemoveNetwork(ctx)); err != nil {
		t.Error(err)
	}
}

func boot(t *testing.T, lab *hosts.Lab, line string, n int) host {
	ctx := t.Context()
	image, err := hosts.BuildImage(ctx, lab.Engine, line)
	if err != nil {
		t.Fatal(err)
	}
	address, err := hosts.Address(lab.Subnet, n, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := hosts.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	signer := newSigner(t)
	spec := hosts.Spec{Name: line, OS: line, Image: image, Address: address, Zone: "test"}
	if err := lab.Create(ctx, spec, keys, "i-"+line, ssh.MarshalAuthorizedKey(signer.PublicKey())); err != nil {
		t.Fatal(err)
	}
	return host{t, line, login(t, lab, line, signer)}
}

func newSigner(t *testing.T) ssh.Signer {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func login(t *testing.T, lab *hosts.Lab, name string, signer ssh.Signer) *ssh.Client {
	h, err := lab.Host(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := hosts.AwaitLogin(ctx, h, signer); err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", h.Address.String()+":22", &ssh.ClientConfig{
		User:            hosts.User,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), // AwaitLogin has just verified it
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}
