package provision

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/remote"
)

func dialDocker(ssh *remote.Host, m *meter) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := ssh.DockerDial(ctx)
		if err != nil {
			return nil, err
		}
		return metered{conn, m}, nil
	}
}

// maxAnswers bounds what a Docker API says in one observation, in bytes: the
// nodes or images of a thousand hosts are a few megabytes.
const maxAnswers = 32 << 20

// meter bounds what is read of a Docker API while a host is observed. What is
// read in a step, such as the progress of a pull, has no bound.
type meter struct {
	limit int64 // bytes
	on    atomic.Bool
	left  atomic.Int64
}

// start sets the bound; what it returns lifts it.
func (m *meter) start() (stop func()) {
	m.left.Store(m.limit)
	m.on.Store(true)
	return func() { m.on.Store(false) }
}

// metered is a connection that counts on a meter.
type metered struct {
	net.Conn
	*meter
}

func (m metered) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	if m.on.Load() && m.left.Add(-int64(n)) < 0 {
		return 0, fmt.Errorf("its answer is too large: over %d MiB", m.limit>>20)
	}
	return n, err
}

// installScript installs, enables and starts Docker on every supported system.
//
//go:embed install_docker.sh
var installScript string

// installDocker runs the script and then waits until the Engine answers.
func (s *Session) installDocker(ctx context.Context, m *machine, _ plan.InstallDocker, say func(string)) error {
	_, err := m.ssh.Run(ctx, remote.Command{
		Script: installScript, Sudo: true, Stdout: lines(say), Stderr: lines(say),
	})
	if err != nil {
		return fmt.Errorf("installing Docker on %s: %w\n→ nothing else on the host was changed; mend what the package manager complains of there and run apply again", m.Name, err)
	}
	return answers(ctx, m)
}

// startDocker enables and starts an installed Engine.
func (s *Session) startDocker(ctx context.Context, m *machine) error {
	_, err := m.ssh.Run(ctx, remote.Command{Argv: []string{"systemctl", "enable", "--now", "docker"}, Sudo: true})
	if err != nil {
		return fmt.Errorf("starting Docker on %s: %w\n→ look at `journalctl -u docker` there", m.Name, err)
	}
	return answers(ctx, m)
}

// answerWithin bounds the wait for an Engine after its start.
const answerWithin = time.Minute

// answers waits until the Engine's API answers. The socket exists before the
// daemon listens on it, and nothing tells the moment.
func answers(ctx context.Context, m *machine) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	for {
		_, err := m.docker.Ping(ctx, client.PingOptions{})
		if err == nil {
			return nil
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			return fmt.Errorf("the Engine on %s did not answer %s: %w\n→ look at `journalctl -u docker` there", m.Name, unmet(ctx, answerWithin), err)
		}
	}
}

// writeDaemon writes daemon.json and lets a running Engine read it.
func (s *Session) writeDaemon(ctx context.Context, m *machine, a plan.WriteDaemon) error {
	file := remote.File{Path: plan.DaemonPath, Content: a.Content, Mode: 0o644, Owner: "root", Group: "root", Sudo: true}
	if a.Then != "" {
		file.Then = []string{"systemctl", a.Then, "docker"}
	}
	_, err := m.ssh.Put(ctx, file)
	if _, failed := errors.AsType[*remote.ThenError](err); failed {
		return fmt.Errorf("%sing Docker on %s: %w\n→ look at `journalctl -u docker` there; the file is %s", a.Then, m.Name, err, plan.DaemonPath)
	}
	if err != nil || a.Then == "" {
		return err
	}
	return answers(ctx, m)
}

// CloseWrite ends the input of a command in a container.
func (m metered) CloseWrite() error {
	if c, ok := m.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// lines splits what is written to it into lines.
type lines func(string)

func (l lines) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			l(line)
		}
	}
	return len(p), nil
}
