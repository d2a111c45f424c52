package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/state"
)

// restoring are the choices of one restore.
type restoring struct {
	applying
	backup   string
	identity string
}

func restoreCommand(a *app) *cobra.Command {
	var o restoring
	c := &cobra.Command{
		Use:   "restore [FILE] --from BACKUP --identity KEYFILE",
		Short: "Build the cluster of a backup, and give it what the backup kept",
		Long: `First applies the inventory, as apply does, where there is something to do; secrets that it would generate get the
values that they had. Then the stacks take back what the backup kept of them, one after the other, each until its
gates hold: RabbitMQ's users, virtual hosts, queues and policies, Consul's catalog and keys. Each of the two plans is
shown, and asked about as apply asks.

It is meant for fresh hosts. On a cluster that stands, secrets stay as they are there, RabbitMQ's definitions come
beside what it has, and Consul's snapshot takes the place of what it has. Messages are in no backup.`,
		Example: `  rmqprov restore prod.hcl --from /backups/prod-20261124T150405Z.age --identity key.txt`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = optionalFile(args)
			return a.restore(c.Context(), o)
		},
	}
	o.deedFlags(c)
	c.Flags().StringVar(&o.backup, "from", "", "the `BACKUP`, as rmqprov backup wrote it")
	c.Flags().StringVar(&o.identity, "identity", "", "the `KEYFILE` with the age key that can read it")
	return c
}

func (a *app) restore(ctx context.Context, o restoring) error {
	b, err := o.read()
	if err != nil {
		return err
	}
	again := fmt.Sprintf("rmqprov restore %s --from %s --identity %s", o.file, o.backup, o.identity)
	build := o.applying
	build.deed = deed{verb: "restore", again: again, plan: func(want plan.Want, got state.Snapshot, _ string) (*plan.Plan, error) {
		if err := sameCluster(b, want); err != nil {
			return nil, err
		}
		return plan.Make(b.WithSecrets(want), got)
	}}
	if err := a.apply(ctx, build); err != nil {
		return err
	}
	fill := o.applying
	fill.deed = deed{verb: "restore", again: again, plan: func(want plan.Want, got state.Snapshot, _ string) (*plan.Plan, error) {
		return plan.Restore(want, got, b.Kept)
	}}
	return a.apply(ctx, fill)
}

func sameCluster(b *provision.Backup, want plan.Want) error {
	if name := want.Inventory.Cluster.Name; b.About.Cluster != name {
		return fmt.Errorf("the backup is of cluster %q, and the inventory's is %q; nothing was changed", b.About.Cluster, name)
	}
	return nil
}

func (o restoring) read() (*provision.Backup, error) {
	if o.backup == "" || o.identity == "" {
		return nil, errors.New("--from names the backup, and --identity the file with the key that can read it")
	}
	key, err := os.Open(o.identity)
	if err != nil {
		return nil, err
	}
	defer key.Close()
	identities, err := age.ParseIdentities(key)
	if err != nil { // its error may quote the key
		return nil, fmt.Errorf("%s holds no age key; age-keygen makes such files", o.identity)
	}
	f, err := os.Open(o.backup)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := provision.ReadBackup(f, identities...)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", o.backup, err)
	}
	return b, nil
}
