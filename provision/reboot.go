package provision

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/remote"
)

const (
	// bootWithin bounds a host's way down and up again: machines with much memory
	// test it, and a member may take two minutes to stop.
	bootWithin = 15 * time.Minute
	// readyWithin bounds the wait for the swarm to call the node ready.
	readyWithin = 2 * time.Minute
)

// rebootHost restarts a host and waits until it is a ready node again. From the
// moment it was told to go down no error is transient: doing the step again
// would restart it twice.
func (s *Session) rebootHost(ctx context.Context, m *machine, say func(string)) error {
	before, err := bootMark(ctx, m)
	if err != nil {
		return fmt.Errorf("asking %s when it was started: %w", m.Name, err)
	}
	node, err := nodeID(ctx, m)
	if err != nil {
		return err
	}
	_, err = m.ssh.Run(ctx, remote.Command{Argv: []string{"systemctl", "--no-block", "reboot"}, Sudo: true})
	if refused, ok := errors.AsType[*remote.ExitError](err); ok {
		return fmt.Errorf("rebooting %s: %w\n→ nothing there was stopped", m.Name, refused)
	}
	if err := awaitBoot(ctx, m, before, say); err != nil {
		return err
	}
	say("it is up; waiting for its Docker")
	if err := answers(ctx, m); err != nil {
		return fmt.Errorf("after the reboot of %s: %v", m.Name, err)
	}
	say("its Docker answers; waiting for its node to be ready")
	return s.awaitReady(ctx, m, node)
}

// upgradeScript upgrades and restarts Docker on every supported system.
//
//go:embed upgrade_docker.sh
var upgradeScript string

// upgradeDocker upgrades a host's Docker, restarts it and waits until the node is
// ready again. Done twice, it restarts twice.
func (s *Session) upgradeDocker(ctx context.Context, m *machine, say func(string)) error {
	node, err := nodeID(ctx, m)
	if err != nil {
		return err
	}
	_, err = m.ssh.Run(ctx, remote.Command{Script: upgradeScript, Sudo: true, Stdout: lines(say), Stderr: lines(say)})
	if err != nil {
		return fmt.Errorf("upgrading Docker on %s: %w\n→ mend what is complained of there; the other hosts are untouched", m.Name, err)
	}
	if err := answers(ctx, m); err != nil {
		return err
	}
	return s.awaitReady(ctx, m, node)
}

// bootMark tells one start of a host from the next. The boot id is of the
// kernel, which containers share; when the first process began tells them apart.
func bootMark(ctx context.Context, m *machine) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := m.ssh.Run(ctx, remote.Command{Script: "cat /proc/sys/kernel/random/boot_id\ncut -d ' ' -f 22 /proc/1/stat\n", Name: "asking for the boot id"})
	return strings.TrimSpace(string(r.Stdout)), err
}

// awaitBoot waits until a host answers that was started after the mark.
func awaitBoot(ctx context.Context, m *machine, before string, say func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, bootWithin)
	defer cancel()
	down := false
	for {
		mark, err := bootMark(ctx, m)
		if err == nil && mark != before {
			return nil
		}
		if err != nil && !down {
			down = true
			say("it has gone down")
		}
		if pause(ctx, time.Second) != nil {
			return fmt.Errorf("%s was told to reboot and is not back within %s (the last answer: %v)\n→ look at its console; the other hosts are untouched. When it is back, run apply: it does what is left", m.Name, bootWithin, err)
		}
	}
}

// nodeID is a host's node in the swarm, as its own Docker says.
func nodeID(ctx context.Context, m *machine) (string, error) {
	info, err := m.docker.Info(ctx, client.InfoOptions{})
	if err != nil {
		return "", fmt.Errorf("asking Docker on %s for its node: %w\n→ nothing there was stopped", m.Name, err)
	}
	return info.Info.Swarm.NodeID, nil
}

// awaitReady waits until the swarm calls a node ready, and reachable where it is
// a manager.
func (s *Session) awaitReady(ctx context.Context, m *machine, id string) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		var n swarm.Node
		err := s.onManager(ctx, func(docker *client.Client) error {
			seen, err := docker.NodeInspect(ctx, id, client.NodeInspectOptions{})
			n = seen.Node
			return err
		})
		manages := n.ManagerStatus == nil || n.ManagerStatus.Reachability == swarm.ReachabilityReachable
		if err == nil && n.Status.State == swarm.NodeStateReady && manages {
			return nil
		}
		if pause(ctx, 500*time.Millisecond) != nil {
			return fmt.Errorf("%s is up, and the swarm calls its node %s after %s (%v)\n→ look at `docker node ls` on a manager and `journalctl -u docker` there, then run apply: it does what is left", m.Name, orUnseen(n.Status.State), readyWithin, err)
		}
	}
}

func orUnseen(s swarm.NodeState) string {
	if s == "" {
		return "nothing"
	}
	return string(s)
}
