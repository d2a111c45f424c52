package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// runsWithin bounds the wait for a service's tasks.
const runsWithin = 5 * time.Minute

// createService makes a service and waits until its tasks run.
func (s *Session) createService(ctx context.Context, a plan.CreateService, say func(string)) error {
	var id string
	err := s.onManager(ctx, func(docker *client.Client) error {
		spec, err := withIDs(ctx, docker, a.Spec)
		if err != nil {
			return err
		}
		r, err := docker.ServiceCreate(ctx, client.ServiceCreateOptions{Spec: spec})
		if exists(err) {
			var seen client.ServiceInspectResult
			seen, err = docker.ServiceInspect(ctx, a.Spec.Name, client.ServiceInspectOptions{})
			r.ID = seen.Service.ID
		}
		id = r.ID
		return err
	})
	if err != nil {
		return fmt.Errorf("creating service %s: %w", a.Spec.Name, err)
	}
	return s.awaitTasks(ctx, id, a.Spec, say)
}

// updateService brings a service to a spec and waits until its tasks are of
// that spec and run.
func (s *Session) updateService(ctx context.Context, a plan.UpdateService, say func(string)) error {
	var id string
	err := s.onManager(ctx, func(docker *client.Client) error {
		seen, err := docker.ServiceInspect(ctx, a.Spec.Name, client.ServiceInspectOptions{})
		if err != nil {
			return err
		}
		id = seen.Service.ID
		spec, err := withIDs(ctx, docker, a.Spec)
		if err != nil {
			return err
		}
		spec.TaskTemplate.ForceUpdate = seen.Service.Spec.TaskTemplate.ForceUpdate
		_, err = docker.ServiceUpdate(ctx, id, client.ServiceUpdateOptions{Version: seen.Service.Version, Spec: spec})
		return err
	})
	if err != nil {
		return fmt.Errorf("updating service %s: %w", a.Spec.Name, err)
	}
	if err := s.awaitTasks(ctx, id, a.Spec, say); err != nil {
		return err
	}
	return s.notRolledBack(ctx, a.Spec.Name)
}

// notRolledBack is an error where the swarm has put a change back, as a service
// may ask it to: the tasks of before run, and the change is not done.
func (s *Session) notRolledBack(ctx context.Context, name string) error {
	var status *swarm.UpdateStatus
	err := s.onManager(ctx, func(docker *client.Client) error {
		seen, err := docker.ServiceInspect(ctx, name, client.ServiceInspectOptions{})
		status = seen.Service.UpdateStatus
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("asking how the change of service %s ended: %w", name, err)
	case status == nil:
		return nil
	}
	switch status.State {
	case swarm.UpdateStateRollbackStarted, swarm.UpdateStateRollbackPaused, swarm.UpdateStateRollbackCompleted:
		return fmt.Errorf("the swarm put the change of service %s back, as its failure_action asks: %s\n→ it runs as it was before; look at `docker service ps --no-trunc %s` on a manager", name, status.Message, name)
	}
	return nil
}

// awaitService waits until a service's tasks run.
func (s *Session) awaitService(ctx context.Context, a plan.AwaitService, say func(string)) error {
	var id string
	err := s.onManager(ctx, func(docker *client.Client) error {
		seen, err := docker.ServiceInspect(ctx, a.Spec.Name, client.ServiceInspectOptions{})
		id = seen.Service.ID
		return err
	})
	if err != nil {
		return fmt.Errorf("looking for service %s: %w", a.Spec.Name, err)
	}
	return s.awaitTasks(ctx, id, a.Spec, say)
}

// removeService removes a service and waits until its containers are gone; its
// volumes stay.
func (s *Session) removeService(ctx context.Context, a plan.RemoveService) error {
	var id string
	err := s.onManager(ctx, func(docker *client.Client) error {
		seen, err := docker.ServiceInspect(ctx, a.Name, client.ServiceInspectOptions{})
		if err == nil {
			id = seen.Service.ID
			_, err = docker.ServiceRemove(ctx, id, client.ServiceRemoveOptions{})
		}
		return err
	})
	switch {
	case errdefs.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("removing service %s: %w", a.Name, err)
	}
	return s.awaitNoTasks(ctx, id, a.Name)
}

// awaitNoTasks waits until a service that was removed has no tasks. What its
// networks and volumes are to be has to wait for that, too.
func (s *Session) awaitNoTasks(ctx context.Context, id, name string) error {
	ctx, cancel := context.WithTimeout(ctx, runsWithin)
	defer cancel()
	for {
		var left int
		err := s.onManager(ctx, func(docker *client.Client) (err error) {
			left, err = countTasks(ctx, docker, id)
			return err
		})
		if err == nil && left == 0 {
			return nil
		}
		if err != nil && ctx.Err() == nil && !mayPass(err) { // done again as a whole, it would find the service gone and ask for no tasks
			return fmt.Errorf("asking for the tasks of %s: %w", name, err)
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			return fmt.Errorf("service %s is removed, and %d of its containers did not stop %s\n→ look at `docker ps` on the hosts, and run it again", name, left, unmet(ctx, runsWithin))
		}
	}
}

// countTasks counts the tasks of a service, which may be gone, on nodes that are
// alive: what a dead one holds nobody can stop.
func countTasks(ctx context.Context, docker *client.Client, service string) (int, error) {
	nodes, err := docker.NodeList(ctx, client.NodeListOptions{})
	if err != nil {
		return 0, err
	}
	tasks, err := docker.TaskList(ctx, client.TaskListOptions{}) // a filter by a service that is gone is an error
	if err != nil {
		return 0, err
	}
	n := 0
	for _, t := range tasks.Items {
		if t.ServiceID == service && slices.ContainsFunc(nodes.Items, func(n swarm.Node) bool {
			return n.ID == t.NodeID && n.Status.State == swarm.NodeStateReady
		}) {
			n++
		}
	}
	return n, nil
}

// withIDs fills in the ids of configs and secrets, which a spec has by name.
func withIDs(ctx context.Context, docker *client.Client, spec swarm.ServiceSpec) (swarm.ServiceSpec, error) {
	container := *spec.TaskTemplate.ContainerSpec
	container.Configs, container.Secrets = slices.Clone(container.Configs), slices.Clone(container.Secrets)
	for i, ref := range container.Configs {
		seen, err := docker.ConfigInspect(ctx, ref.ConfigName, client.ConfigInspectOptions{})
		if err != nil {
			return spec, err
		}
		filled := *ref
		filled.ConfigID, container.Configs[i] = seen.Config.ID, &filled
	}
	for i, ref := range container.Secrets {
		seen, err := docker.SecretInspect(ctx, ref.SecretName, client.SecretInspectOptions{})
		if err != nil {
			return spec, err
		}
		filled := *ref
		filled.SecretID, container.Secrets[i] = seen.Secret.ID, &filled
	}
	spec.TaskTemplate.ContainerSpec = &container
	return spec, nil
}

// awaitTasks waits until as many tasks of the newest spec run as are wanted.
// The API has no events for tasks, so it is asked again and again; a call on
// the kept connection takes a few milliseconds.
func (s *Session) awaitTasks(ctx context.Context, id string, spec swarm.ServiceSpec, say func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, runsWithin)
	defer cancel()
	last := ""
	for {
		var progress taskProgress
		err := s.onManager(ctx, func(docker *client.Client) (err error) {
			progress, err = readTasks(ctx, docker, id)
			return err
		})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("asking for the tasks of %s: %w", spec.Name, err)
		}
		if err == nil && progress.done() {
			return nil
		}
		if text := progress.String(); text != last && err == nil {
			say(text)
			last = text
		}
		if err == nil && progress.hopeless() {
			return fmt.Errorf("service %s was changed, and its new container ends whenever it is started: %s\n→ look at `docker service logs %s` on a manager", spec.Name, last, spec.Name)
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			return fmt.Errorf("service %s did not run %s: %s\n→ look at `docker service ps --no-trunc %s` on a manager", spec.Name, unmet(ctx, runsWithin), last, spec.Name)
		}
	}
}

// taskProgress is how far a service's tasks are.
type taskProgress struct {
	running, desired int
	updating         bool
	paused           bool     // the swarm saw a container of the new kind end
	failed           int      // containers of the new kind that have ended by themselves
	waiting          []string // states of tasks that do not run, with what the swarm says of them
}

func (p taskProgress) done() bool { return !p.updating && p.desired > 0 && p.running >= p.desired }

// hopelessAfter is how often a changed service's container ends by itself until
// it is taken for one that never runs. A host that has just been started, or
// others that are still to come, can end one or two.
const hopelessAfter = 4

func (p taskProgress) hopeless() bool {
	return p.paused && p.running < p.desired && p.failed >= hopelessAfter
}

func (p taskProgress) String() string {
	text := fmt.Sprintf("%d of %d tasks run", p.running, p.desired)
	if len(p.waiting) > 0 {
		text += "; others are " + strings.Join(p.waiting, ", ")
	}
	return text
}

func readTasks(ctx context.Context, docker *client.Client, id string) (taskProgress, error) {
	var p taskProgress
	services, err := docker.ServiceList(ctx, client.ServiceListOptions{Status: true, Filters: filter("id", id)})
	if err != nil {
		return p, err
	}
	if len(services.Items) == 0 {
		return p, fmt.Errorf("the service was removed meanwhile")
	}
	svc := services.Items[0]
	if svc.ServiceStatus != nil {
		p.desired = int(svc.ServiceStatus.DesiredTasks)
	}
	p.updating = svc.UpdateStatus != nil && svc.UpdateStatus.State == swarm.UpdateStateUpdating
	p.paused = svc.UpdateStatus != nil && svc.UpdateStatus.State == swarm.UpdateStatePaused
	tasks, err := docker.TaskList(ctx, client.TaskListOptions{Filters: filter("service", id)})
	if err != nil {
		return p, err
	}
	silent, err := silentNodes(ctx, docker, p.desired)
	if err != nil {
		return p, err
	}
	for _, t := range tasks.Items {
		if silent[t.NodeID] {
			if t.DesiredState == swarm.TaskStateRunning {
				p.desired--
			}
			continue
		}
		if plan.SameTask(t.Spec, svc.Spec.TaskTemplate) { // others are of before the update
			p.count(t)
		}
	}
	slices.Sort(p.waiting)
	p.waiting = slices.Compact(p.waiting)
	return p, nil
}

// silentNodes are the nodes that never came, though the swarm has tasks for them as
// for all. A service of a single task is on none of them.
func silentNodes(ctx context.Context, docker *client.Client, desired int) (map[string]bool, error) {
	if desired < 2 {
		return nil, nil
	}
	nodes, err := docker.NodeList(ctx, client.NodeListOptions{})
	silent := map[string]bool{}
	for _, n := range nodes.Items {
		silent[n.ID] = plan.NeverCame(n)
	}
	return silent, err
}

// count notes how far a task is. Where one has ended, another runs only once it
// has done so for a while: it may be about to end as well.
func (p *taskProgress) count(t swarm.Task) {
	if ended := t.Status.State; ended == swarm.TaskStateFailed || ended == swarm.TaskStateRejected || ended == swarm.TaskStateComplete {
		p.failed++
	}
	runs := t.Status.State == swarm.TaskStateRunning && t.DesiredState == swarm.TaskStateRunning
	switch {
	case runs && (!p.paused || time.Since(t.Status.Timestamp) > settled):
		p.running++
	case t.DesiredState == swarm.TaskStateRunning || t.Status.Err != "":
		p.waiting = append(p.waiting, taskLine(t))
	}
}

func taskLine(t swarm.Task) string {
	if t.Status.Err != "" {
		return fmt.Sprintf("%s (%s)", t.Status.State, t.Status.Err)
	}
	return string(t.Status.State)
}

func filter(term, value string) client.Filters { return make(client.Filters).Add(term, value) }
