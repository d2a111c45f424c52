package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// majorityWithin bounds the wait for a majority of the swarm's managers: one that
// has just restarted is back within seconds.
const majorityWithin = time.Minute

// guarded waits until the swarm and all stacks would keep their majorities without
// what is to stop: all in the same look. Its error means that the step was not begun.
func (s *Session) guarded(ctx context.Context, g *plan.Guard, say func(string)) error {
	if g == nil {
		return nil
	}
	patience := majorityWithin
	for _, r := range g.Tasks {
		patience = max(patience, r.Ask.Within)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	last := ""
	for {
		err := s.look(ctx, g)
		if err == nil {
			return nil
		}
		if text := err.Error(); text != last && ctx.Err() == nil {
			say(text)
			last = text
		}
		if pause(ctx, 500*time.Millisecond) != nil {
			return fmt.Errorf("not begun: for %s a majority would not have been left without it; at last: %s\n→ nothing was stopped; bring back what is down, and run it again", patience, last)
		}
	}
}

// look asks the swarm and the members once.
func (s *Session) look(ctx context.Context, g *plan.Guard) error {
	errs := []error{s.managersWithout(ctx, g)}
	for _, r := range g.Tasks {
		errs = append(errs, atRisk(s.tryCommand(ctx, r.Ask, r.Ask.Exec)))
	}
	return errors.Join(errs...)
}

// atRisk is what a member said that was asked. One that does not run is missed
// by the others already, and stopping it takes nothing from them.
func atRisk(err error) error {
	if _, ok := errors.AsType[notRunning](err); ok {
		return nil
	}
	return err
}

// managersWithout is nil when the managers that reach each other are a majority,
// and would be without a host's.
func (s *Session) managersWithout(ctx context.Context, g *plan.Guard) error {
	var nodes []swarm.Node
	err := s.onManager(ctx, func(docker *client.Client) error {
		list, err := docker.NodeList(ctx, client.NodeListOptions{})
		nodes = list.Items
		return err
	})
	if err != nil {
		return fmt.Errorf("asking for the swarm's managers: %w", err)
	}
	return majorityWithout(nodes, g)
}

// majorityWithout counts the managers. Of two, none can be missed, so that nothing
// is protected by never stopping one.
func majorityWithout(nodes []swarm.Node, g *plan.Guard) error {
	reachable, all, gone := 0, 0, 0
	for _, n := range nodes {
		if n.ManagerStatus == nil {
			continue
		}
		all++
		switch {
		case g.Host != "" && n.Spec.Labels[plan.HostLabel] == g.Host:
			gone = 1
		case n.ManagerStatus.Reachability == swarm.ReachabilityReachable:
			reachable++
		}
	}
	if all <= 2 && gone > 0 {
		return nil
	}
	left := all
	if g.Gone {
		left -= gone
	}
	if 2*reachable > left {
		return nil
	}
	without := ""
	if gone > 0 {
		without = " without " + g.Host
	}
	return fmt.Errorf("%d of %d swarm managers would answer%s, which is no majority", reachable, left, without)
}

// passOver tells of a failure that --force-quorum-loss asks to pass over.
func passOver(ctx context.Context, a plan.RunCommand, err error, say func(string)) error {
	if err == nil || !a.Forced || ctx.Err() != nil {
		return err
	}
	say("passed over, as --force-quorum-loss asks: " + err.Error())
	return nil
}
