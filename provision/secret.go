package provision

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// createSecret makes the Docker secrets of one value. The value goes into the
// body of the requests and nowhere else.
func (s *Session) createSecret(ctx context.Context, a plan.CreateSecret) error {
	value := a.Secret.Value
	if value == "" {
		var err error
		if value, err = generate(a.Secret); err != nil {
			return err
		}
	}
	for _, o := range a.Secret.Objects {
		if err := s.putSecret(ctx, o, value, a); err != nil {
			return fmt.Errorf("creating secret %s: %w", o.Object, err)
		}
	}
	return nil
}

// putSecret makes one object. One of that name is there already when a run was
// killed between two of them, or the answer to an earlier try was lost. Of a given
// value it is the right one: its name follows the value. A generated one goes:
// its value may be another, and no service uses it yet.
func (s *Session) putSecret(ctx context.Context, o playbooks.SecretObject, value string, a plan.CreateSecret) error {
	content := value
	if o.Format != "" {
		content = strings.ReplaceAll(o.Format, "%s", value)
	}
	spec := swarm.SecretSpec{Annotations: swarm.Annotations{Name: o.Object, Labels: a.Labels}, Data: []byte(content)}
	create := func(docker *client.Client) error {
		_, err := docker.SecretCreate(ctx, client.SecretCreateOptions{Spec: spec})
		return err
	}
	err := s.onManager(ctx, create)
	if !exists(err) {
		return err
	}
	if a.Secret.Value != "" {
		return nil
	}
	if err := s.removeSecret(ctx, plan.RemoveSecret{Object: o.Object}); err != nil {
		return err
	}
	return s.onManager(ctx, create)
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// generate makes a value from the system's random source.
func generate(s playbooks.Secret) (string, error) {
	if s.Encoding == "base64" || s.Encoding == "hex" {
		raw := make([]byte, s.Generate)
		if _, err := rand.Read(raw); err != nil {
			return "", err
		}
		if s.Encoding == "hex" {
			return hex.EncodeToString(raw), nil
		}
		return base64.StdEncoding.EncodeToString(raw), nil
	}
	out := make([]byte, s.Generate)
	for i := range out {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphanumeric))))
		if err != nil {
			return "", err
		}
		out[i] = alphanumeric[n.Int64()]
	}
	return string(out), nil
}

// removeSecret removes a Docker secret.
func (s *Session) removeSecret(ctx context.Context, a plan.RemoveSecret) error {
	err := s.onManager(ctx, func(docker *client.Client) error {
		_, err := docker.SecretRemove(ctx, a.Object, client.SecretRemoveOptions{})
		return err
	})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("removing secret %s: %w", a.Object, err)
	}
	return nil
}
