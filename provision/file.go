package provision

import (
	"context"
	"fmt"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/remote"
)

// putFiles writes files and restarts the units that read them.
func (s *Session) putFiles(ctx context.Context, m *machine, a plan.PutFiles) error {
	for _, f := range a.Files {
		_, err := m.ssh.Put(ctx, remote.File{
			Path: f.Path, Content: f.Content, Mode: f.Mode, Owner: f.Owner, Group: f.Group, Sudo: true,
		})
		if err != nil {
			return fmt.Errorf("writing %s on %s: %w", f.Path, m.Name, err)
		}
	}
	for _, unit := range a.Restart {
		if _, err := m.ssh.Run(ctx, remote.Command{Argv: []string{"systemctl", "restart", unit}, Sudo: true}); err != nil {
			return fmt.Errorf("restarting %s on %s: %w", unit, m.Name, err)
		}
	}
	return nil
}
