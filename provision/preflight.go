package provision

import (
	"context"
	"fmt"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/preflight"
	"github.com/rmqprov/rmqprov/provision/remote"
)

// preflight proves that a host can join, and changes nothing.
func (s *Session) preflight(ctx context.Context, m *machine, a plan.Preflight, say func(string)) error {
	r, err := s.Preflight(ctx, m.Name, a)
	if err != nil {
		return err
	}
	for _, note := range r.Notes {
		say(note)
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("%s is %w", m.Name, err)
	}
	return nil
}

// Preflight makes the proof of one host. Its error is that it could not be made.
func (s *Session) Preflight(ctx context.Context, host string, a plan.Preflight) (preflight.Report, error) {
	return preflight.Run(ctx, host, a, func(name string) *remote.Host { return s.hosts[name].ssh })
}
