// Package services runs what the lab's hosts are served by: an image registry that they use as
// their mirror, and an EC2 emulator whose instances they are. Both are containers of the lab's
// engine, on the machine's own network: hosts reach them at the gateway of their network.
package services

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
	"github.com/rmqprov/rmqprov/cmd/rmqlab/images"
)

// Ports on which the services listen on every address of the machine.
const (
	RegistryPort = 5000
	EC2Port      = 5001
)

// service is a container that outlives the process that started it, and restarts with the engine.
type service struct {
	name  string
	image string
	mount string // "DIRECTORY:PATH"
	ready string // address that answers once the service works
}

// Registry makes sure that the lab's registry runs, and holds the named images; without
// names, all that the lab can build.
func Registry(ctx context.Context, e *engine.Engine, names ...string) error {
	address := "127.0.0.1:" + strconv.Itoa(RegistryPort)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return service{
			name:  "rmqlab-registry",
			image: images.Registry,
			mount: e.Cache + "/registry:/var/lib/registry",
			ready: "http://" + address + "/v2/",
		}.ensure(gctx, e)
	})
	g.Go(func() error { return images.Build(gctx, e, names...) })
	if err := g.Wait(); err != nil {
		return err
	}
	return images.Push(ctx, e, address, names...)
}

// ensure starts the service unless it runs from the current image already.
func (s service) ensure(ctx context.Context, e *engine.Engine) error {
	unlock, err := e.Lock("service-" + s.name)
	if err != nil {
		return err
	}
	defer unlock()
	if err := images.Load(ctx, e, s.image); err != nil {
		return err
	}
	image, err := e.Docker(ctx, "image", "inspect", "--format", "{{.Id}}", s.image)
	if err != nil {
		return err
	}
	running, err := e.Docker(ctx, "container", "ls", "--no-trunc", "--filter", "name=^"+s.name+"$", "--filter", "status=running",
		"--format", `{{.Label "rmqlab.image"}}`)
	if err != nil {
		return err
	}
	if running != image {
		if err := s.start(ctx, e, image); err != nil {
			return err
		}
	}
	return s.await(ctx, e)
}

func (s service) start(ctx context.Context, e *engine.Engine, image string) error {
	e.Say("starting %s", s.name)
	if _, err := e.Docker(ctx, "container", "rm", "--force", s.name); err != nil {
		return err
	}
	_, err := e.Docker(ctx, "run", "--detach", "--name", s.name, "--restart", "always", "--network", "host",
		"--label", "rmqlab.image="+image, "--volume", s.mount, s.image)
	return err
}

// await asks the service until it answers, for at most a minute.
func (s service) await(ctx context.Context, e *engine.Engine) error {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := answers(limited, s.ready)
		if err == nil {
			return nil
		}
		select {
		case <-limited.Done():
			logs, _ := e.Docker(ctx, "logs", "--tail", "12", s.name)
			return fmt.Errorf("%s does not answer at %s: %w; its log ends with:\n%s", s.name, s.ready, err, logs)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}
