package provision

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// managementPort is the port of the swarm's own control plane.
const managementPort = "2377"

// initSwarm starts the swarm. A host that is a manager already is one whose
// answer was lost on the way: then all is done.
func (s *Session) initSwarm(ctx context.Context, m *machine, a plan.InitSwarm) error {
	in, err := s.localState(ctx, m)
	if err != nil {
		return err
	}
	if in == swarm.LocalNodeStateInactive {
		_, err = m.docker.SwarmInit(ctx, client.SwarmInitOptions{
			ListenAddr: "0.0.0.0:" + managementPort, AdvertiseAddr: a.Advertise.String(),
			DataPathPort: uint32(a.DataPathPort), DefaultAddrPool: a.Pools, SubnetSize: uint32(a.SubnetSize),
			Spec: swarm.Spec{Annotations: swarm.Annotations{Name: "default", Labels: a.Labels}},
		})
		if err != nil {
			return fmt.Errorf("starting the swarm on %s (%s): %w", m.Name, a.Advertise, err)
		}
	}
	s.addManager(m.Name)
	return nil
}

func (s *Session) localState(ctx context.Context, m *machine) (swarm.LocalNodeState, error) {
	info, err := m.docker.Info(ctx, client.InfoOptions{})
	if err != nil {
		return "", fmt.Errorf("asking Docker on %s: %w", m.Name, err)
	}
	return info.Info.Swarm.LocalNodeState, nil
}

// joinWithin bounds a join. A manager's raft is slow where disks are busy.
const joinWithin = 2 * time.Minute

// joinSwarm makes a host a member. The token goes from one API to the other
// and is nowhere else.
func (s *Session) joinSwarm(ctx context.Context, m *machine, a plan.JoinSwarm) error {
	ctx, cancel := context.WithTimeout(ctx, joinWithin)
	defer cancel()
	in, err := s.localState(ctx, m)
	if err != nil {
		return err
	}
	if in == swarm.LocalNodeStateInactive {
		if err := s.join(ctx, m, a); err != nil {
			return err
		}
	}
	if err := s.joined(ctx, m); err != nil {
		return err
	}
	if a.Manager {
		s.addManager(m.Name)
	}
	return nil
}

func (s *Session) join(ctx context.Context, m *machine, a plan.JoinSwarm) error {
	var token string
	var addrs []string
	err := s.onManager(ctx, func(docker *client.Client) error {
		in, err := docker.SwarmInspect(ctx, client.SwarmInspectOptions{})
		if err != nil {
			return err
		}
		info, err := docker.Info(ctx, client.InfoOptions{})
		if err != nil {
			return err
		}
		token = in.Swarm.JoinTokens.Worker
		if a.Manager {
			token = in.Swarm.JoinTokens.Manager
		}
		addrs = managerAddrs(info.Info.Swarm.RemoteManagers)
		return nil
	})
	if err != nil {
		return fmt.Errorf("asking %s how to join: %w", strings.Join(a.Through, ", "), err)
	}
	_, err = m.docker.SwarmJoin(ctx, client.SwarmJoinOptions{
		ListenAddr: "0.0.0.0:" + managementPort, AdvertiseAddr: a.Advertise.String(), JoinToken: token, RemoteAddrs: addrs,
	})
	// Past 20 s the Engine answers with an error and goes on joining by itself.
	if err != nil && !strings.Contains(err.Error(), "continue in the background") && !strings.Contains(err.Error(), "timeout reached before node joined") {
		return fmt.Errorf("%s joins the swarm through %s: %w\n→ %s must reach port %s/tcp there", m.Name, strings.Join(addrs, ", "), err, m.Name, managementPort)
	}
	return nil
}

func managerAddrs(peers []swarm.Peer) []string {
	var addrs []string
	for _, p := range peers {
		if a, err := netip.ParseAddrPort(p.Addr); err == nil {
			addrs = append(addrs, net.JoinHostPort(a.Addr().String(), managementPort))
		}
	}
	return addrs
}

// joined waits until the Engine says that it takes part. It has no event for
// that.
func (s *Session) joined(ctx context.Context, m *machine) error {
	for {
		info, err := m.docker.Info(ctx, client.InfoOptions{})
		if err != nil {
			return err
		}
		switch st := info.Info.Swarm; st.LocalNodeState {
		case swarm.LocalNodeStateActive:
			return nil
		case swarm.LocalNodeStateError, swarm.LocalNodeStateInactive:
			return fmt.Errorf("%s did not join the swarm: %s", m.Name, st.Error)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("%s did not come to the end of joining the swarm %s\n→ can it reach port %s/tcp of the managers, and 7946/tcp+udp?", m.Name, unmet(ctx, joinWithin), managementPort)
		}
	}
}

// conflictTries bounds how often a change is made again because the object
// moved in between: right after a join a node still describes itself.
const conflictTries = 20

// updateNode changes labels, role and availability of a host's node.
func (s *Session) updateNode(ctx context.Context, m *machine, a plan.UpdateNode) error {
	info, err := m.docker.Info(ctx, client.InfoOptions{})
	if err != nil {
		return err
	}
	id := info.Info.Swarm.NodeID
	for try := 1; ; try++ {
		err = s.onManager(ctx, func(docker *client.Client) error { return changeNode(ctx, docker, id, a) })
		if err == nil || try == conflictTries || !moved(err) && !errdefs.IsNotFound(err) {
			break
		}
		if perr := pause(ctx, 100*time.Millisecond); perr != nil {
			return errors.Join(err, perr)
		}
	}
	if err != nil {
		return fmt.Errorf("changing the swarm node of %s: %w", m.Name, err)
	}
	if a.Role == swarm.NodeRoleManager {
		return s.promoted(ctx, m)
	}
	return nil
}

// promoted waits until a host that was made a manager is one.
func (s *Session) promoted(ctx context.Context, m *machine) error {
	ctx, cancel := context.WithTimeout(ctx, joinWithin)
	defer cancel()
	for {
		info, err := m.docker.Info(ctx, client.InfoOptions{})
		if err == nil && info.Info.Swarm.ControlAvailable {
			s.addManager(m.Name)
			return nil
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			return errors.Join(fmt.Errorf("%s was made a manager, and did not become one %s\n→ look at `docker node ls` on another manager, and at `journalctl -u docker` there", m.Name, unmet(ctx, joinWithin)), err)
		}
	}
}

// speaksWithin is how long a node that was let in may take to speak to the swarm: a
// join that somebody else makes just now takes a second or two.
const speaksWithin = 10 * time.Second

// forgetNode demotes a node that is gone, where it was a manager, and removes
// it. One that is gone already is well.
func (s *Session) forgetNode(ctx context.Context, a plan.ForgetNode) error {
	if a.Silent {
		if err := pause(ctx, speaksWithin); err != nil {
			return err
		}
	}
	var err error
	for range conflictTries {
		err = s.onManager(ctx, func(docker *client.Client) error { return dropNode(ctx, docker, a) })
		// A demotion takes a moment to come into force; nothing tells when.
		if err == nil || !moved(err) && !errdefs.IsFailedPrecondition(err) && !strings.Contains(err.Error(), "is a cluster manager") {
			break
		}
		if perr := pause(ctx, 300*time.Millisecond); perr != nil {
			return errors.Join(err, perr)
		}
	}
	if err != nil {
		return fmt.Errorf("removing node %s from the swarm: %w", a.ID, err)
	}
	return nil
}

func dropNode(ctx context.Context, docker *client.Client, a plan.ForgetNode) error {
	r, err := docker.NodeInspect(ctx, a.ID, client.NodeInspectOptions{})
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if a.Silent && !plan.NeverCame(r.Node) {
		return nil
	}
	if !a.Silent && r.Node.Status.State != swarm.NodeStateDown {
		return fmt.Errorf("it is %s by now; it is left alone", r.Node.Status.State)
	}
	if r.Node.Spec.Role == swarm.NodeRoleManager {
		r.Node.Spec.Role = swarm.NodeRoleWorker
		// One of a swarm that was begun anew without it is no manager any more: it is not found among them.
		if _, err := docker.NodeUpdate(ctx, a.ID, client.NodeUpdateOptions{Version: r.Node.Version, Spec: r.Node.Spec}); err != nil && !errdefs.IsNotFound(err) {
			return err
		}
	}
	_, err = docker.NodeRemove(ctx, a.ID, client.NodeRemoveOptions{Force: true})
	return err
}

// moved says that an object was changed by someone else between reading and
// writing it.
func moved(err error) bool { return strings.Contains(err.Error(), "update out of sequence") }

func changeNode(ctx context.Context, docker *client.Client, id string, a plan.UpdateNode) error {
	r, err := docker.NodeInspect(ctx, id, client.NodeInspectOptions{})
	if err != nil {
		return err
	}
	spec := r.Node.Spec
	if spec.Labels == nil {
		spec.Labels = map[string]string{}
	}
	for k, v := range a.Set {
		spec.Labels[k] = v
	}
	for _, k := range a.Remove {
		delete(spec.Labels, k)
	}
	if a.Role != "" {
		spec.Role = a.Role
	}
	spec.Availability = swarm.NodeAvailabilityActive
	_, err = docker.NodeUpdate(ctx, id, client.NodeUpdateOptions{Version: r.Node.Version, Spec: spec})
	return err
}
