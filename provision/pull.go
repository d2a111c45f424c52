package provision

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// pullPauses are between the tries to pull an image: a registry or mirror that is
// slow or just starts fails for a moment, and Docker keeps the layers that it has.
var pullPauses = []time.Duration{time.Second, 3 * time.Second, 10 * time.Second}

// pullImage fetches an image and waits until it is there.
func (s *Session) pullImage(ctx context.Context, m *machine, a plan.PullImage, say func(string)) error {
	err := insist(ctx, pullPauses, say, func() error { return pull(ctx, m, a.Ref) })
	if err != nil {
		return fmt.Errorf("pulling %s on %s: %w\n→ is the name right, and can the host reach the registry (or its mirrors in daemon.json)?", a.Ref, m.Name, err)
	}
	return nil
}

func pull(ctx context.Context, m *machine, ref string) error {
	response, err := m.docker.ImagePull(ctx, ref, client.ImagePullOptions{})
	if err != nil {
		return err
	}
	defer response.Close()
	return response.Wait(ctx)
}

// insist tries a pull again after each of the pauses, unless what came back is the
// registry's last word, or the connection to the host is what failed: that is for
// whoever does the whole step again.
func insist(ctx context.Context, pauses []time.Duration, say func(string), try func() error) error {
	for _, wait := range pauses {
		err := try()
		if err == nil || ctx.Err() != nil || mayPass(err) || isLastWord(err) {
			return err
		}
		say(fmt.Sprintf("%v; trying again in %s", err, wait))
		if pause(ctx, wait) != nil {
			return err
		}
	}
	return try()
}

// lastWords are in what Docker says of a pull that will fail the same way again:
// the registry's own error codes, and a disk that is full.
// https://distribution.github.io/distribution/spec/api/#errors-2
var lastWords = []string{
	"manifest unknown", "not found", "denied", "unauthorized", "authentication required", "toomanyrequests",
	"no matching manifest", "invalid reference", "no space left on device",
}

func isLastWord(err error) bool {
	if errdefs.IsNotFound(err) || errdefs.IsUnauthorized(err) || errdefs.IsPermissionDenied(err) || errdefs.IsInvalidArgument(err) {
		return true
	}
	text := strings.ToLower(err.Error())
	for _, word := range lastWords {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}
