package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/remote"
)

// putFiles writes files and restarts the units that read them.
func (s *Session) putFiles(ctx context.Context, m *machine, a plan.PutFiles) error {
	for i, f := range a.Files {
		file := remote.File{Path: f.Path, Content: f.Content, Mode: f.Mode, Owner: f.Owner, Group: f.Group, Sudo: true}
		if last := i == len(a.Files)-1; last && len(a.Restart) > 0 {
			file.Then = slices.Concat([]string{"systemctl", "restart"}, a.Restart)
		}
		_, err := m.ssh.Put(ctx, file)
		if _, failed := errors.AsType[*remote.ThenError](err); failed {
			return fmt.Errorf("restarting %s on %s: %w", strings.Join(a.Restart, ", "), m.Name, err)
		}
		if err != nil {
			return fmt.Errorf("writing %s on %s: %w", f.Path, m.Name, err)
		}
	}
	return nil
}
