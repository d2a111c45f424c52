package provision

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// createNetwork makes an overlay network; one that nothing uses and that is
// to be another goes first.
func (s *Session) createNetwork(ctx context.Context, a plan.CreateNetwork) error {
	if a.Replace {
		if err := s.removeNetwork(ctx, plan.RemoveNetwork{Name: a.Name}); err != nil {
			return err
		}
	}
	options := client.NetworkCreateOptions{
		Driver: "overlay", Scope: "swarm", Attachable: a.Attachable, Labels: a.Labels, Options: map[string]string{},
	}
	if a.Subnet != "" {
		subnet, err := netip.ParsePrefix(a.Subnet)
		if err != nil {
			return err
		}
		options.IPAM = &network.IPAM{Driver: "default", Config: []network.IPAMConfig{{Subnet: subnet}}}
	}
	if a.MTU != 0 {
		options.Options["com.docker.network.driver.mtu"] = strconv.Itoa(a.MTU)
	}
	if a.Encrypted {
		options.Options["encrypted"] = "true"
	}
	err := s.onManager(ctx, func(docker *client.Client) error {
		_, err := docker.NetworkCreate(ctx, a.Name, options)
		return err
	})
	if errdefs.IsConflict(err) { // the answer to an earlier try was lost
		return nil
	}
	if err != nil {
		return fmt.Errorf("creating network %s (%s): %w", a.Name, a.Subnet, err)
	}
	return nil
}

// removeNetwork removes a network; one that is not there is well.
func (s *Session) removeNetwork(ctx context.Context, a plan.RemoveNetwork) error {
	err := s.onManager(ctx, func(docker *client.Client) error {
		_, err := docker.NetworkRemove(ctx, a.Name, client.NetworkRemoveOptions{})
		return err
	})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("removing network %s: %w", a.Name, err)
	}
	return nil
}
