package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// LeadBoth lets the host whose Consul server leads lead the swarm, too, and
// returns its name. Who follows a leader that is demoted is chance, so it takes a
// few tries.
func (l *Lab) LeadBoth(ctx context.Context) (string, error) {
	for range 20 {
		consul, err := l.consulLeader(ctx)
		if err != nil {
			return "", err
		}
		swarm, err := l.swarmLeader(ctx)
		if err != nil {
			return "", err
		}
		if consul == swarm {
			return swarm, nil
		}
		if err := l.stepDown(ctx, swarm, consul); err != nil {
			return "", err
		}
	}
	return "", errors.New("in twenty tries no host came to lead both the swarm and Consul")
}

func (l *Lab) consulLeader(ctx context.Context) (string, error) {
	for _, h := range l.hosts {
		var self struct {
			Stats struct{ Consul struct{ Leader string } }
		}
		if err := getJSON(ctx, "http://"+h.Address+":8500/v1/agent/self", "", "", &self); err != nil {
			return "", err
		}
		if self.Stats.Consul.Leader == "true" {
			return h.Name, nil
		}
	}
	return "", errors.New("no Consul server of the lab leads")
}

func (l *Lab) swarmLeader(ctx context.Context) (string, error) {
	out, err := l.Root(ctx, l.hosts[0].Name, "docker node ls --format '{{.Hostname}} {{.ManagerStatus}}'\n")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		if name, status, _ := strings.Cut(strings.TrimSpace(line), " "); status == "Leader" {
			return name, nil
		}
	}
	return "", fmt.Errorf("the swarm has no leader:\n%s", out)
}

// stepDown has a manager of the swarm demoted and promoted again by another.
func (l *Lab) stepDown(ctx context.Context, manager, by string) error {
	const ask = `set -e
docker node demote %[1]s
until [ "$(docker node inspect -f '{{.Spec.Role}} {{with .ManagerStatus}}manages{{end}}' %[1]s)" = "worker " ]; do sleep 0.2; done
docker node promote %[1]s
until docker node inspect -f '{{with .ManagerStatus}}{{.Reachability}}{{end}}' %[1]s | grep -qx reachable; do sleep 0.2; done
`
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err := l.Root(ctx, by, fmt.Sprintf(ask, manager))
	return err
}
