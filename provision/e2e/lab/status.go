package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Status is what rmqprov status --json says.
type Status struct {
	Healthy bool
	Hosts   []struct {
		Name, Error string
		Swarm       struct{ State string }
	}
	Stacks []struct {
		Name     string
		Services []struct {
			Name             string
			Running, Desired int
		}
		Gates []struct {
			Name string
			OK   bool
		}
	}
	Drift []string
}

// statusWithin is how long rmqprov may look at a cluster that is not well.
const statusWithin = 2 * time.Minute

// Status asks rmqprov for it. The error is that it did not answer.
func (l *Lab) Status(ctx context.Context) (s Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusWithin)
	defer cancel()
	cmd := l.Rmqprov(ctx, "status", "--json", l.Inventory())
	var said strings.Builder
	cmd.Stderr = &said
	out, failed := cmd.Output() // it fails where the cluster is not healthy, too
	if err := json.Unmarshal(out, &s); err != nil {
		return s, fmt.Errorf("rmqprov status: %w, without a verdict: %s", failed, said.String())
	}
	return s, nil
}

// String is what is wrong, in one line.
func (s Status) String() string {
	var parts []string
	for _, h := range s.Hosts {
		switch {
		case h.Error != "":
			parts = append(parts, h.Name+" cannot be reached")
		case h.Swarm.State != "ready":
			parts = append(parts, h.Name+" is "+h.Swarm.State+" in the swarm")
		}
	}
	unknown, holding := false, 0
	var gates []string
	for _, stack := range s.Stacks {
		for _, svc := range stack.Services {
			unknown = unknown || svc.Desired == 0
			if svc.Running < svc.Desired {
				parts = append(parts, fmt.Sprintf("%s: %d of %d run", svc.Name, svc.Running, svc.Desired))
			}
		}
		for _, g := range stack.Gates {
			if g.OK {
				holding++
			} else {
				gates = append(gates, stack.Name+"/"+g.Name)
			}
		}
	}
	if unknown {
		parts = append(parts, "no manager says what runs")
	}
	switch {
	case len(gates) > 0 && holding == 0:
		parts = append(parts, "no gate holds")
	case len(gates) > 0:
		parts = append(parts, "gates that do not hold: "+strings.Join(gates, ", "))
	case len(parts) == 0 && s.Healthy:
		return "healthy"
	}
	return strings.Join(parts, "; ")
}
