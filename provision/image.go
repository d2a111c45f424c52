package provision

import (
	"context"
	"fmt"

	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// pullImage fetches an image and waits until it is there.
func (s *Session) pullImage(ctx context.Context, m *machine, a plan.PullImage) error {
	pull, err := m.docker.ImagePull(ctx, a.Ref, client.ImagePullOptions{})
	if err == nil {
		err = pull.Wait(ctx)
		pull.Close()
	}
	if err != nil {
		return fmt.Errorf("pulling %s on %s: %w\n→ is the name right, and can the host reach the registry (or its mirrors in daemon.json)?", a.Ref, m.Name, err)
	}
	return nil
}
