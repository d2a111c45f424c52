package provision

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// mendEvery bounds how often a gate is mended.
const mendEvery = 5 * time.Second

// runCommand runs a command in containers of services until it succeeds.
func (s *Session) runCommand(ctx context.Context, a plan.RunCommand, say func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	last, mended := "", time.Time{}
	for {
		err := s.tryCommand(ctx, a, a.Exec)
		if err == nil {
			return nil
		}
		if a.Once {
			return err
		}
		if text := err.Error(); text != last && ctx.Err() == nil {
			say(text)
			last = text
		}
		if a.Mend != nil && time.Since(mended) > mendEvery {
			say("mending it")
			if err := s.tryCommand(ctx, a, a.Mend); err != nil && ctx.Err() == nil {
				say("mending did not work: " + err.Error())
			}
			mended = time.Now()
		}
		if pause(ctx, 300*time.Millisecond) != nil {
			return fmt.Errorf("did not hold %s; the last answer was: %s\n→ what runs goes on running; look at the members' logs and run apply again", unmet(ctx, a.Within), orNone(last))
		}
	}
}

func orNone(answer string) string {
	if answer == "" {
		return "(none yet)"
	}
	return answer
}

// tryCommand runs a command once in every container concerned.
func (s *Session) tryCommand(ctx context.Context, a plan.RunCommand, argv []string) error {
	places, err := s.containers(ctx, a.Services)
	if err != nil {
		return err
	}
	if !a.All {
		places = places[:1]
	}
	for _, p := range places {
		if err := s.runIn(ctx, p, argv); err != nil {
			return err
		}
	}
	return nil
}

// runIn runs a command in one place, where its host can be reached.
func (s *Session) runIn(ctx context.Context, p place, argv []string) error {
	if s.isUnseen(p.machine.Name) {
		return fmt.Errorf("%s on %s cannot be asked: the host could not be reached", p.service, p.machine.Name)
	}
	return p.exec(ctx, argv)
}

// place is a running container of a service.
type place struct {
	machine   *machine
	service   string
	container string
}

// notRunning says of services that no container of theirs runs.
type notRunning []string

func (n notRunning) Error() string {
	return fmt.Sprintf("no container of %s runs", strings.Join(n, ", "))
}

// containers finds the running containers of services, in the services' order.
func (s *Session) containers(ctx context.Context, services []string) ([]place, error) {
	var tasks []swarm.Task
	var nodes map[string]*machine
	names := map[string]string{}
	err := s.onManager(ctx, func(docker *client.Client) (err error) {
		filters := make(client.Filters).Add("desired-state", "running").Add("service", services...)
		found, err := docker.TaskList(ctx, client.TaskListOptions{Filters: filters})
		if err != nil {
			return err
		}
		tasks = found.Items
		seen, err := docker.ServiceList(ctx, client.ServiceListOptions{Filters: make(client.Filters).Add("name", services...)})
		if err != nil {
			return err
		}
		for _, svc := range seen.Items {
			names[svc.Spec.Name] = svc.ID
		}
		nodes, err = s.machinesByNode(ctx, docker)
		return err
	})
	if err != nil {
		return nil, err
	}
	var places []place
	for _, name := range services {
		if names[name] == "" {
			return nil, fmt.Errorf("service %s does not exist", name)
		}
		for _, t := range tasks {
			m := nodes[t.NodeID]
			if t.ServiceID == names[name] && t.Status.State == swarm.TaskStateRunning && m != nil && t.Status.ContainerStatus != nil {
				places = append(places, place{m, name, t.Status.ContainerStatus.ContainerID})
			}
		}
	}
	places = s.reachableFirst(places)
	if len(places) == 0 {
		return nil, notRunning(services)
	}
	return places, nil
}

// Whereabouts says on which hosts each of the services runs now.
func (s *Session) Whereabouts(ctx context.Context, services []string) (map[string][]string, error) {
	places, err := s.containers(ctx, services)
	found := map[string][]string{}
	for _, p := range places {
		found[p.service] = append(found[p.service], p.machine.Name)
	}
	return found, err
}

// reachableFirst puts places on hosts that cannot be reached last, so that one
// that answers for all is asked elsewhere; where such hosts are planned around,
// they are left out.
func (s *Session) reachableFirst(places []place) []place {
	var there, away []place
	for _, p := range places {
		if s.isUnseen(p.machine.Name) {
			away = append(away, p)
		} else {
			there = append(there, p)
		}
	}
	if s.options.AllowUnreachable {
		return there
	}
	return append(there, away...)
}

func (s *Session) machinesByNode(ctx context.Context, docker *client.Client) (map[string]*machine, error) {
	list, err := docker.NodeList(ctx, client.NodeListOptions{})
	if err != nil {
		return nil, err
	}
	out := map[string]*machine{}
	for _, n := range list.Items {
		if m := s.hosts[n.Spec.Labels[plan.HostLabel]]; m != nil {
			out[n.ID] = m
		}
	}
	return out, nil
}

// maxOutput bounds what is kept of a command's output, in bytes.
const maxOutput = 64 << 10

// exec runs a command in the container. Its error has what the command said.
func (p place) exec(ctx context.Context, argv []string) error {
	out, status, err := p.output(ctx, "", argv)
	if err != nil {
		return fmt.Errorf("%s on %s: %w", p.service, p.machine.Name, err)
	}
	if status != 0 {
		return fmt.Errorf("%s on %s: exit status %d: %s", p.service, p.machine.Name, status, tail(out))
	}
	return nil
}

// output runs a command as a user, "" being the container's own, and returns
// what it said and its exit status.
func (p place) output(ctx context.Context, user string, argv []string) (out string, status int, err error) {
	select {
	case p.machine.execs <- struct{}{}:
		defer func() { <-p.machine.execs }()
	case <-ctx.Done():
		return "", 0, ctx.Err()
	}
	docker := p.machine.docker
	made, err := docker.ExecCreate(ctx, p.container, client.ExecCreateOptions{User: user, Cmd: argv, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return "", 0, err
	}
	attached, err := docker.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		return "", 0, err
	}
	stop := context.AfterFunc(ctx, attached.Close)
	defer stop()
	defer attached.Close()
	var b limited
	if _, err := stdcopy.StdCopy(&b, &b, attached.Reader); err != nil {
		return b.String(), 0, err
	}
	seen, err := docker.ExecInspect(ctx, made.ID, client.ExecInspectOptions{})
	return b.String(), seen.ExitCode, err
}

// limited keeps the first maxOutput bytes.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxOutput - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// tail is the last few lines of an output, on one line.
func tail(out string) string {
	all := strings.Split(strings.TrimSpace(out), "\n")
	return strings.Join(all[max(0, len(all)-3):], " | ")
}
