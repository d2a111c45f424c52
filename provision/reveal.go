package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/playbooks"
)

// Secret returns the value of a stack's secret: the one the inventory gives,
// or the generated one as a running container has it mounted. Swarm itself
// never gives a secret back.
func (s *Session) Secret(ctx context.Context, stack playbooks.Stack, name string) (string, error) {
	i := slices.IndexFunc(stack.Secrets, func(x playbooks.Secret) bool { return x.Name == name })
	if i < 0 {
		return "", fmt.Errorf("stack %s has no secret %q; it has %s", stack.Name, name, secretNames(stack))
	}
	secret := stack.Secrets[i]
	if secret.Value != "" {
		return secret.Value, nil
	}
	for _, o := range secret.Objects {
		services, path := mounts(stack, o.Object)
		if len(services) == 0 {
			continue
		}
		places, err := s.containers(ctx, services)
		if err != nil {
			return "", fmt.Errorf("reading secret %s: %w\n→ it can be read only where it is mounted; start the stack first", name, err)
		}
		out, status, err := places[0].output(ctx, "0", []string{"cat", path})
		if err != nil || status != 0 {
			return "", fmt.Errorf("reading %s in %s on %s: exit status %d: %w", path, places[0].service, places[0].machine.Name, status, err)
		}
		return unformat(o.Format, out), nil
	}
	return "", fmt.Errorf("no service of stack %s mounts secret %s, so its value can be read nowhere", stack.Name, name)
}

func secretNames(stack playbooks.Stack) string {
	var names []string
	for _, s := range stack.Secrets {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// mounts finds the services that mount a Docker secret, and under which path.
func mounts(stack playbooks.Stack, object string) (services []string, path string) {
	for _, svc := range stack.Services {
		i := slices.IndexFunc(svc.Spec.TaskTemplate.ContainerSpec.Secrets, func(r *swarm.SecretReference) bool { return r.SecretName == object })
		if i < 0 {
			continue
		}
		path = svc.Spec.TaskTemplate.ContainerSpec.Secrets[i].File.Name
		if !strings.HasPrefix(path, "/") {
			path = "/run/secrets/" + path
		}
		services = append(services, svc.Name)
	}
	return services, path
}

// unformat takes the value out of the text that a secret's format made of it.
func unformat(format, text string) string {
	before, after, ok := strings.Cut(format, "%s")
	if !ok {
		return text
	}
	return strings.TrimSuffix(strings.TrimPrefix(text, before), after)
}
