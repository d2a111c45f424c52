package provision

import (
	"context"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// createConfig makes a Docker config. Its name tells its content, so one that
// is there already is the right one.
func (s *Session) createConfig(ctx context.Context, a plan.CreateConfig) error {
	err := s.onManager(ctx, func(docker *client.Client) error {
		_, err := docker.ConfigCreate(ctx, client.ConfigCreateOptions{Spec: swarm.ConfigSpec{
			Annotations: swarm.Annotations{Name: a.Object, Labels: a.Labels}, Data: a.Content,
		}})
		return err
	})
	if err != nil && !exists(err) {
		return fmt.Errorf("creating config %s: %w", a.Object, err)
	}
	return nil
}

// exists says that an object of that name is there.
func exists(err error) bool { return errdefs.IsConflict(err) || errdefs.IsAlreadyExists(err) }

// removeConfig removes a Docker config.
func (s *Session) removeConfig(ctx context.Context, a plan.RemoveConfig) error {
	err := s.onManager(ctx, func(docker *client.Client) error {
		_, err := docker.ConfigRemove(ctx, a.Object, client.ConfigRemoveOptions{})
		return err
	})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("removing config %s: %w", a.Object, err)
	}
	return nil
}

// The labels of a stack's record that say when it was last changed, by whom and
// with which version.
const (
	TimeLabel    = "rmqprov.time"
	ByLabel      = "rmqprov.by"
	VersionLabel = "rmqprov.version"

	// InventoryLabel tells from which inventory.
	InventoryLabel = "rmqprov.inventory"
)

// recordStack notes that a stack stands as its hash says. The record is a
// Docker config: the swarm keeps it, and the labels can be changed in place.
func (s *Session) recordStack(ctx context.Context, a plan.RecordStack) error {
	labels := map[string]string{
		plan.HashLabel: a.Hash, TimeLabel: time.Now().UTC().Format(time.RFC3339), ByLabel: s.options.By, VersionLabel: s.options.Version,
		InventoryLabel: s.inventory,
	}
	for k, v := range a.Labels {
		labels[k] = v
	}
	err := s.onManager(ctx, func(docker *client.Client) error { return putRecord(ctx, docker, a, labels) })
	if err != nil {
		return fmt.Errorf("noting the state of stack %s: %w", a.Stack, err)
	}
	return nil
}

func putRecord(ctx context.Context, docker *client.Client, a plan.RecordStack, labels map[string]string) error {
	seen, err := docker.ConfigInspect(ctx, a.Object, client.ConfigInspectOptions{})
	if errdefs.IsNotFound(err) && a.Hash == "" { // it has not stood yet, and clearing its record must not say that it did
		return nil
	}
	if errdefs.IsNotFound(err) {
		_, err = docker.ConfigCreate(ctx, client.ConfigCreateOptions{Spec: swarm.ConfigSpec{
			Annotations: swarm.Annotations{Name: a.Object, Labels: labels},
			Data:        []byte("The labels of this config are rmqprov's record of stack " + a.Stack + ".\n"),
		}})
		return err
	}
	if err != nil {
		return err
	}
	spec := seen.Config.Spec
	spec.Labels = labels
	_, err = docker.ConfigUpdate(ctx, seen.Config.ID, client.ConfigUpdateOptions{Version: seen.Config.Version, Spec: spec})
	return err
}
