// Package services runs what a lab's hosts are served by: an image registry that they use as
// their mirror, and an EC2 emulator whose instances they are. Each is a container of the lab's
// engine in the machine's own network, and listens on one address only, the gateway of the
// lab's network: nobody but the lab and this machine reaches it, and labs do not share it.
package services

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
	"github.com/rmqprov/rmqprov/cmd/rmqlab/images"
)

// Ports of the services.
const (
	RegistryPort = 5000
	EC2Port      = 5001
)

// Lab is whom the services are for. Its network must be there when they start.
type Lab struct {
	Engine  *engine.Engine
	Name    string
	Gateway netip.Addr // the machine's address in the lab's network
}

// Registry makes sure that the lab's registry runs and holds the named images; without names,
// all that can be built. It returns the address for a host's registry-mirrors.
func (l Lab) Registry(ctx context.Context, names ...string) (string, error) {
	address := l.address(RegistryPort)
	s := service{
		name:   "rmqlab-registry-" + l.Name,
		image:  images.Registry,
		env:    []string{"REGISTRY_HTTP_ADDR=" + address},
		mounts: []string{filepath.Join(l.Engine.Cache, "registry") + ":/var/lib/registry"},
		ready:  "http://" + address + "/v2/",
	}
	g, started := errgroup.WithContext(ctx)
	g.Go(func() error { return s.ensure(started, l.Engine) })
	g.Go(func() error { return images.Build(started, l.Engine, names...) })
	if err := g.Wait(); err != nil {
		return "", err
	}
	return "http://" + address, images.Push(ctx, l.Engine, address, names...)
}

// Stop ends the lab's services. The registry's images stay; the emulator's instances go.
func (l Lab) Stop(ctx context.Context) error {
	_, err := l.Engine.Docker(ctx, "container", "rm", "--force", "rmqlab-registry-"+l.Name, "rmqlab-ec2-"+l.Name)
	return err
}

func (l Lab) address(port int) string {
	return net.JoinHostPort(l.Gateway.String(), strconv.Itoa(port))
}

// service is a container that outlives the process that started it, and restarts with the engine.
type service struct {
	name   string
	image  string
	args   []string
	env    []string
	mounts []string // "DIRECTORY:PATH"
	ready  string   // address that answers once the service works
}

// setup is a label that holds what a container was made from.
const setup = "rmqlab.setup"

// ensure starts the service unless it runs already as it should.
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
	want := fmt.Sprint(image, s.args, s.env, s.mounts)
	running, err := e.Docker(ctx, "container", "ls", "--filter", "name=^"+s.name+"$", "--filter", "status=running",
		"--format", `{{.Label "`+setup+`"}}`)
	if err != nil {
		return err
	}
	if running != want {
		if err := s.start(ctx, e, want); err != nil {
			return err
		}
	}
	return s.await(ctx, e)
}

func (s service) start(ctx context.Context, e *engine.Engine, want string) error {
	e.Say("starting %s", s.name)
	if _, err := e.Docker(ctx, "container", "rm", "--force", s.name); err != nil {
		return err
	}
	args := []string{"run", "--detach", "--name", s.name, "--restart", "always", "--network", "host", "--label", setup + "=" + want}
	for _, v := range s.env {
		args = append(args, "--env", v)
	}
	for _, m := range s.mounts {
		args = append(args, "--volume", m)
	}
	_, err := e.Docker(ctx, append(append(args, s.image), s.args...)...)
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
			logs, _ := e.Command(ctx, "logs", "--tail", "12", s.name).CombinedOutput()
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
