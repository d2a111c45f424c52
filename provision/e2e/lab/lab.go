// Package lab drives bin/rmqlab and bin/rmqprov as a user does, and looks at what they made from
// outside, by none of their code.
package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Lab is a set of hosts on this machine.
type Lab struct {
	Name     string
	Subnet   string // "10.80.0.0/24"
	Password string // RabbitMQ's administrator gets it; "": rmqprov makes one

	root     string // the repository
	hosts    []Host
	extended bool // the inventory has blocks of a test
	log      io.Writer
}

// Host is one of a lab's hosts.
type Host struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	OS      string `json:"os"`
}

// New names a lab; it does not start it. The programs are taken from bin in the repository that
// holds the working directory. What they say goes to log.
func New(name, subnet string, log io.Writer) (*Lab, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	return &Lab{Name: name, Subnet: subnet, root: root, log: log}, nil
}

// repository is the nearest directory above the working directory, or that one, with a go.mod.
func repository() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is in no clone of the repository: no go.mod here or above", start)
		}
	}
}

// Up brings up n hosts that are new, whatever was there before. Host i runs the ith system, and
// from the first again after the last.
func (l *Lab) Up(ctx context.Context, n int, systems ...string) error {
	if err := l.Do(ctx, "up", "--fresh", "--hosts", fmt.Sprint(n), "--subnet", l.Subnet, "--os", strings.Join(systems, ",")); err != nil {
		return err
	}
	return l.Look(ctx)
}

// Look sees which hosts there are, and where.
func (l *Lab) Look(ctx context.Context) error {
	out, err := l.rmqlab(ctx, "status", "--json").Output()
	if err != nil {
		return fmt.Errorf("rmqlab status: %w", err)
	}
	return json.Unmarshal(out, &l.hosts)
}

// Down takes the lab away.
func (l *Lab) Down(ctx context.Context) error { return l.Do(ctx, "down") }

// Do runs one of rmqlab's verbs.
func (l *Lab) Do(ctx context.Context, verb string, args ...string) error {
	cmd := l.rmqlab(ctx, append([]string{verb}, args...)...)
	cmd.Stdout, cmd.Stderr = l.log, l.log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("rmqlab %s %s: %w", verb, strings.Join(args, " "), err)
	}
	return nil
}

func (l *Lab) rmqlab(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(l.root, "bin", "rmqlab"), append(args, "--name", l.Name, "--dir", l.Dir())...)
	cmd.Dir = l.root
	return cmd
}

// Hosts are the hosts that the last Up brought up, or that Look saw since.
func (l *Lab) Hosts() []Host { return l.hosts }

// Dir is where the lab's key, known_hosts and inventory are.
func (l *Lab) Dir() string { return filepath.Join(l.root, ".lab", l.Name) }

// Inventory is the lab's inventory file, or its folder once it was extended.
func (l *Lab) Inventory() string {
	if l.extended {
		return l.Dir()
	}
	return filepath.Join(l.Dir(), "lab.hcl")
}

// Extend adds blocks to the lab's inventory.
func (l *Lab) Extend(blocks string) error {
	l.extended = true
	return os.WriteFile(filepath.Join(l.Dir(), "more.hcl"), []byte(blocks), 0o644)
}

// Rmqprov prepares a run of rmqprov with the lab's environment.
func (l *Lab) Rmqprov(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(l.root, "bin", "rmqprov"), args...)
	cmd.Dir = l.root
	cmd.Env = append(os.Environ(), "RMQ_ADMIN_PASSWORD="+l.Password,
		"LAB_KEY="+filepath.Join(l.Dir(), "key"), "LAB_KNOWN_HOSTS="+filepath.Join(l.Dir(), "known_hosts"))
	return cmd
}

// Apply makes the cluster, and returns what rmqprov printed. A host's sshd that cuts the handshakes
// for longer than rmqprov dials again is tried for up to three minutes, as an operator would, and
// what it wrote into its journal meanwhile is told: twice in three runs one did so after a run had
// been killed, and why is not known yet.
func (l *Lab) Apply(ctx context.Context) (string, error) {
	for end := time.Now().Add(3 * time.Minute); ; {
		out, err := l.Rmqprov(ctx, "apply", "--yes", l.Inventory()).CombinedOutput()
		if err == nil {
			return string(out), nil
		}
		if !TurnedAway(string(out)) || time.Now().After(end) {
			return "", fmt.Errorf("rmqprov apply: %w:\n%s", err, out)
		}
		l.tellRefusal(ctx, out)
		time.Sleep(time.Second) // sshd does not say when it will let one in again
	}
}

// TurnedAway says that a run found a host whose sshd lets nobody in for a while.
func TurnedAway(said string) bool {
	return strings.Contains(said, "sshd cut the handshake") || strings.Contains(said, "PerSourcePenalties")
}

// tellRefusal logs what rmqprov said of an sshd that refused it, and the last that each sshd said.
func (l *Lab) tellRefusal(ctx context.Context, said []byte) {
	fmt.Fprintf(l.log, "apply was refused, and is run again:\n%s", said)
	for _, h := range l.hosts {
		journal, err := l.Root(ctx, h.Name, "journalctl -t sshd -t sshd-session -o short-precise --no-pager -n 20; uptime\n")
		fmt.Fprintf(l.log, "sshd of %s: %s%v\n", h.Name, journal, err)
	}
}

// Secret is the value of a secret of the cluster, such as "haproxy/stats_password".
func (l *Lab) Secret(ctx context.Context, name string) (string, error) {
	out, err := l.Rmqprov(ctx, "secret", l.Inventory(), "show", name).Output()
	if err != nil {
		return "", fmt.Errorf("rmqprov secret show %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Root runs a shell script as root on a host, past its network and sshd, and returns what it
// printed.
func (l *Lab) Root(ctx context.Context, host, script string) (string, error) {
	cmd := l.rmqlab(ctx, "console", host)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(script), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("on %s: %w: %s", host, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// SSH prepares a command on a host by OpenSSH's client, with a connection of its own.
func (l *Lab) SSH(ctx context.Context, h Host, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "ssh", "-F", "none", "-i", filepath.Join(l.Dir(), "key"),
		"-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR",
		"-o", "UserKnownHostsFile="+filepath.Join(l.Dir(), "known_hosts"), "ec2-user@"+h.Address, command)
}

// Logins is how many SSH connections a host has let in since it booted.
func (l *Lab) Logins(ctx context.Context, host string) (int, error) {
	out, err := l.Root(ctx, host, "journalctl -o cat --no-pager | grep -c 'Accepted publickey' || true\n")
	if err != nil {
		return 0, err
	}
	var n int
	_, err = fmt.Sscan(out, &n)
	return n, err
}
