package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/remote"
	"github.com/rmqprov/rmqprov/provision/state"
)

// asking bounds the hosts that are asked at once. Connecting is not bounded
// here: a host that does not answer its dial must not keep others from theirs.
const asking = 128

// keepOpen is up to how many hosts a Docker connection stays open from the
// observation to the first step. It takes some 70 KiB here and a process there,
// and opening it anew takes 80 ms; of many hosts, few have steps.
const keepOpen = 64

// answerOf bounds what one host may take to say everything, once connected.
const answerOf = 30 * time.Second

// Observe sees all hosts and the swarm at the same time. It changes nothing.
// What could not be seen carries its error in the snapshot; the error returned
// is only the context's.
func (s *Session) Observe(ctx context.Context, want plan.Want) (state.Snapshot, error) {
	snap := state.Snapshot{Hosts: make(map[string]state.Host, len(s.names))}
	var mu sync.Mutex
	var reader swarmReader
	var all sync.WaitGroup
	slots := make(chan struct{}, asking)
	all.Go(func() { snap.Group.Value, snap.Group.Err = s.options.Cloud.Observe(ctx, s.inv) })
	for _, name := range s.names {
		m := s.hosts[name]
		all.Go(func() {
			seen := s.observeHost(ctx, m, slots, want.Paths(m.Host))
			reader.offer(ctx, m, seen.Engine.Value, s)
			mu.Lock()
			defer mu.Unlock()
			snap.Hosts[name] = seen
		})
	}
	all.Wait()
	snap.Swarm = reader.result
	s.noteUnseen(snap)
	for _, name := range s.names {
		if e := snap.Hosts[name].Engine.Value; e != nil && e.Manager && e.ClusterTags[plan.OwnerLabel] == s.inv.Cluster.Name {
			s.addManager(name)
		}
	}
	s.awaitVerdicts(ctx, snap)
	return snap, ctx.Err()
}

// noteUnseen remembers which hosts could not be reached, and expects nothing
// of them until the next look.
func (s *Session) noteUnseen(snap state.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unseen = slices.DeleteFunc(slices.Clone(s.names), func(name string) bool { return !snap.Hosts[name].Unreachable })
	s.managers = slices.DeleteFunc(s.managers, func(name string) bool { return slices.Contains(s.unseen, name) })
}

// verdictWithin bounds the wait for the swarm to call a node down that stopped
// answering: it does so 15 s after the last heartbeat, and a host may have died
// a moment ago.
const verdictWithin = 30 * time.Second

// awaitVerdicts waits, where the swarm has nodes that are no host of the
// inventory, until it calls them down. A node that goes on living is told by
// the planner.
func (s *Session) awaitVerdicts(ctx context.Context, snap state.Snapshot) {
	deadline := time.Now().Add(verdictWithin)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for snap.Swarm.Value != nil && undecided(snap, s.inv.Cluster.Name, s.options.AllowUnreachable) && time.Now().Before(deadline) {
		if pause(ctx, 500*time.Millisecond) != nil {
			return
		}
		_ = s.onManager(ctx, func(docker *client.Client) error { // where it fails, what was seen before stands
			nodes, err := docker.NodeList(ctx, client.NodeListOptions{})
			if err == nil {
				snap.Swarm.Value.Nodes = nodes.Items
			}
			return err
		})
	}
}

// undecided says whether a node of ours is no host of the inventory and yet not
// down; or, where hosts are planned around, is one that cannot be reached: whether
// its members run decides what may be stopped.
func undecided(snap state.Snapshot, cluster string, around bool) bool {
	hosts, unseen := map[string]bool{}, map[string]bool{}
	for name, h := range snap.Hosts {
		unseen[name] = h.Facts.Err != nil && !(around && h.Unreachable)
		hosts[h.Facts.Value.NodeID] = true
		if e := h.Engine.Value; e != nil {
			hosts[e.NodeID] = true
		}
	}
	return slices.ContainsFunc(snap.Swarm.Value.Nodes, func(n swarm.Node) bool {
		return !hosts[n.ID] && !unseen[n.Spec.Labels[plan.HostLabel]] && n.Spec.Labels[plan.OwnerLabel] == cluster && n.Status.State != swarm.NodeStateDown
	})
}

// observeHost asks a host for its facts and its Engine at once: where the
// Engine turns out not to run, its failure to answer is no news.
func (s *Session) observeHost(ctx context.Context, m *machine, slots chan struct{}, paths []string) state.Host {
	var seen state.Host
	if seen.Facts.Err = m.ssh.Connect(ctx); seen.Facts.Err != nil {
		seen.Unreachable = remote.IsTransient(seen.Facts.Err)
		return seen
	}
	slots <- struct{}{}
	defer func() { <-slots }()
	var both sync.WaitGroup
	both.Go(func() {
		ctx, cancel := s.within(ctx)
		defer cancel()
		seen.Facts.Value, seen.Facts.Err = facts(ctx, m.ssh, paths)
	})
	both.Go(func() { seen.Engine.Value, seen.Engine.Err = s.engine(ctx, m) })
	both.Wait()
	seen.Unreachable = errors.Is(seen.Facts.Err, errSilent) || remote.IsTransient(seen.Facts.Err)
	if seen.Facts.Err == nil && !seen.Facts.Value.Docker.Active {
		seen.Engine = state.Known[*state.Engine]{}
	}
	if e := seen.Engine.Value; len(s.names) > keepOpen && (e == nil || !e.Manager) {
		m.docker.Close() // only what is idle, and it dials again when it is used
	}
	return seen
}

// errSilent is the cause of a host's end that took a connection and no more.
var errSilent = errors.New("it was connected and did not answer")

// within bounds the time that one host has for its answers.
func (s *Session) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.patience, fmt.Errorf("%w within %s: is it overloaded, or its disk hanging?", errSilent, s.patience))
}

// because prefers the reason why ctx ended to the error that this led to.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

func facts(ctx context.Context, ssh *remote.Host, paths []string) (state.Facts, error) {
	r, err := ssh.Run(ctx, remote.Command{Script: state.FactsScript, Argv: paths, Sudo: true})
	if err != nil {
		return state.Facts{}, fmt.Errorf("asking for its facts: %w", err)
	}
	f, err := state.ParseFacts(r.Stdout)
	if err == nil && f.Clock != 0 {
		f.Skew = time.Until(time.Unix(f.Clock, 0)).Round(time.Second)
	}
	return f, err
}

// engine reads a host's Engine. The calls follow one another on one
// connection: a connection costs more than all of them. While a leader of the
// swarm is waited for, the host does answer: that time is not its own.
func (s *Session) engine(ctx context.Context, m *machine) (*state.Engine, error) {
	defer m.meter.start()()
	i, err := s.infoWithLeader(ctx, m.docker)
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	e, err := askEngine(ctx, m.docker, i)
	return e, because(ctx, err)
}

func askEngine(ctx context.Context, docker *client.Client, i system.Info) (*state.Engine, error) {
	e := &state.Engine{
		Version: i.ServerVersion, LiveRestore: i.LiveRestoreEnabled, NodeID: i.Swarm.NodeID,
		SwarmState: string(i.Swarm.LocalNodeState), SwarmError: i.Swarm.Error, Manager: i.Swarm.ControlAvailable,
		Images: map[string]bool{}, Volumes: map[string]bool{}, Owners: map[string]string{},
	}
	if c := i.Swarm.Cluster; c != nil {
		e.ClusterID, e.ClusterTags = c.ID, c.Spec.Labels
	}
	images, err := docker.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		return nil, err
	}
	for _, image := range images.Items {
		for _, tag := range image.RepoTags {
			e.Images[tag] = true
		}
	}
	volumes, err := docker.VolumeList(ctx, client.VolumeListOptions{})
	if err != nil {
		return nil, err
	}
	for _, v := range volumes.Items {
		e.Volumes[v.Name] = true
		if owner, ok := v.Labels[plan.OwnerLabel]; ok {
			e.Owners[v.Name] = owner
		}
	}
	return e, nil
}

// swarmReader reads the swarm through the first manager of ours that is seen,
// while the other hosts are still being asked.
type swarmReader struct {
	mu     sync.Mutex
	result state.Known[*state.Swarm]
}

func (r *swarmReader) offer(ctx context.Context, m *machine, e *state.Engine, s *Session) {
	if e == nil || !e.Manager || e.ClusterTags[plan.OwnerLabel] != s.inv.Cluster.Name {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.result.Value != nil {
		return
	}
	defer m.meter.start()()
	var got *state.Swarm
	err := awaitLeader(ctx, func() (err error) {
		ctx, cancel := s.within(ctx)
		defer cancel()
		got, err = readSwarm(ctx, m.docker)
		return because(ctx, err)
	})
	if err != nil {
		r.result.Err = errors.Join(r.result.Err, fmt.Errorf("%s says: %w", m.Name, err))
		return
	}
	got.ID, got.Labels = e.ClusterID, e.ClusterTags
	r.result = state.Known[*state.Swarm]{Value: got}
}

// settled is how long a task has run that counts as running, where its service
// did not come through its last change.
const settled = 10 * time.Second

// discountLooping takes from the running tasks of services whose change failed
// those that have only just started: one that ends and starts again and again
// runs at some looks, and what must hold before a running member is stopped
// would be waited for in vain.
func discountLooping(ctx context.Context, docker *client.Client, services []swarm.Service) error {
	for _, svc := range services {
		if svc.ServiceStatus == nil || svc.UpdateStatus == nil || svc.UpdateStatus.State != swarm.UpdateStatePaused {
			continue
		}
		tasks, err := docker.TaskList(ctx, client.TaskListOptions{Filters: filter("service", svc.ID).Add("desired-state", "running")})
		if err != nil {
			return err
		}
		svc.ServiceStatus.RunningTasks = 0
		for _, t := range tasks.Items {
			if t.Status.State == swarm.TaskStateRunning && time.Since(t.Status.Timestamp) > settled {
				svc.ServiceStatus.RunningTasks++
			}
		}
	}
	return nil
}

func readSwarm(ctx context.Context, docker *client.Client) (*state.Swarm, error) {
	nodes, err := docker.NodeList(ctx, client.NodeListOptions{})
	if err != nil {
		return nil, err
	}
	services, err := docker.ServiceList(ctx, client.ServiceListOptions{Status: true})
	if err != nil {
		return nil, err
	}
	if err := discountLooping(ctx, docker, services.Items); err != nil {
		return nil, err
	}
	for i := range services.Items { // a plugin's service has no container, and it is not ours
		if task := &services.Items[i].Spec.TaskTemplate; task.ContainerSpec == nil {
			task.ContainerSpec = &swarm.ContainerSpec{}
		}
	}
	networks, err := docker.NetworkList(ctx, client.NetworkListOptions{Filters: filter("driver", "overlay")})
	if err != nil {
		return nil, err
	}
	configs, err := docker.ConfigList(ctx, client.ConfigListOptions{})
	if err != nil {
		return nil, err
	}
	secrets, err := docker.SecretList(ctx, client.SecretListOptions{})
	if err != nil {
		return nil, err
	}
	return &state.Swarm{
		Nodes: nodes.Items, Services: services.Items, Networks: networks.Items, Configs: configs.Items, Secrets: secrets.Items,
	}, nil
}
