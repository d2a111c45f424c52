package provision

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/remote"
)

// removeScript removes its arguments, and the folders of all clusters where this
// was the last one.
const removeScript = `
rm -rf -- "$@" || exit
rmdir /etc/rmqprov /var/lib/rmqprov 2>/dev/null || true
`

// removeFiles removes files and folders; what is gone already is well.
func (s *Session) removeFiles(ctx context.Context, m *machine, a plan.RemoveFiles) error {
	_, err := m.ssh.Run(ctx, remote.Command{Script: removeScript, Argv: a.Paths, Sudo: true})
	if err != nil {
		return fmt.Errorf("removing %s on %s: %w", strings.Join(a.Paths, ", "), m.Name, err)
	}
	return nil
}

// leaveWithin bounds a host's leaving: a demotion takes a moment.
const leaveWithin = 2 * time.Minute

// leaveSwarm lets a host leave. A manager is demoted first, through another
// one, so that those left keep their majority.
func (s *Session) leaveSwarm(ctx context.Context, m *machine, a plan.LeaveSwarm) error {
	ctx, cancel := context.WithTimeout(ctx, leaveWithin)
	defer cancel()
	in, err := s.localState(ctx, m)
	if err != nil || in == swarm.LocalNodeStateInactive {
		return err
	}
	if !a.Last {
		if err := s.demote(ctx, m); err != nil {
			return fmt.Errorf("demoting %s before it leaves the swarm: %w", m.Name, err)
		}
	}
	if err := s.left(ctx, m); err != nil {
		return fmt.Errorf("%s leaves the swarm: %w", m.Name, err)
	}
	s.dropManager(m.Name)
	return nil
}

// left lets a host leave until it is out. The Engine gives up after 15 s while
// a manager that was just demoted still shuts down; asked again, it leaves.
func (s *Session) left(ctx context.Context, m *machine) error {
	for {
		_, err := m.docker.SwarmLeave(ctx, client.SwarmLeaveOptions{Force: true})
		in, stateErr := s.localState(ctx, m)
		if stateErr == nil && in == swarm.LocalNodeStateInactive {
			return nil
		}
		if perr := pause(ctx, 500*time.Millisecond); perr != nil {
			return errors.Join(err, stateErr, perr)
		}
	}
}

// dropManager notes that a host is no manager any more.
func (s *Session) dropManager(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.managers = slices.DeleteFunc(s.managers, func(name string) bool { return name == host })
}

// demote makes a manager a worker and waits until it is one.
func (s *Session) demote(ctx context.Context, m *machine) error {
	s.dropManager(m.Name)
	for asked := false; ; {
		info, err := m.docker.Info(ctx, client.InfoOptions{})
		if err != nil {
			return err
		}
		if !info.Info.Swarm.ControlAvailable {
			return nil
		}
		if !asked {
			if err := s.updateNode(ctx, m, plan.UpdateNode{Role: swarm.NodeRoleWorker}); err != nil {
				return err
			}
			asked = true
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return errors.New("it is still a manager\n→ look at `docker node ls` on another manager")
		}
	}
}

// volumeTries bounds how often a volume is tried that a container which is
// just stopping still holds.
const volumeTries = 60

// removeVolume removes a volume; one that is gone already is well.
func (s *Session) removeVolume(ctx context.Context, m *machine, a plan.RemoveVolume) error {
	var err error
	for range volumeTries {
		_, err = m.docker.VolumeRemove(ctx, a.Name, client.VolumeRemoveOptions{})
		if err == nil || errdefs.IsNotFound(err) {
			return nil
		}
		if !errdefs.IsConflict(err) {
			break
		}
		dropEnded(ctx, m.docker, a.Name) // where it does not, the next try says who holds the volume
		if pause(ctx, 500*time.Millisecond) != nil {
			break
		}
	}
	return fmt.Errorf("removing volume %s on %s: %w\n→ see who uses it there: `docker ps -a --filter volume=%s`", a.Name, m.Name, err, a.Name)
}

// dropEnded removes the containers of swarm tasks that have ended and hold a
// volume. The swarm does so itself, but not those that were there when a host lost
// its power, once that has left.
func dropEnded(ctx context.Context, docker *client.Client, volume string) {
	ended, err := docker.ContainerList(ctx, client.ContainerListOptions{All: true,
		Filters: filter("volume", volume).Add("label", "com.docker.swarm.task.id").Add("status", "exited", "dead", "created")})
	if err != nil {
		return
	}
	for _, c := range ended.Items {
		_, _ = docker.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{})
	}
}

// purgeScript removes Docker as the host's own packages brought it.
//
//go:embed purge_docker.sh
var purgeScript string

func (s *Session) purgeDocker(ctx context.Context, m *machine, say func(string)) error {
	_, err := m.ssh.Run(ctx, remote.Command{Script: purgeScript, Sudo: true, Stdout: lines(say), Stderr: lines(say)})
	if err != nil {
		return fmt.Errorf("removing Docker on %s: %w\n→ mend what the package manager complains of there and run destroy again", m.Name, err)
	}
	return nil
}
