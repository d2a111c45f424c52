package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/provision"
)

// backing are the choices of one backup.
type backing struct {
	source
	out        string
	recipients []string
}

func backupCommand(a *app) *cobra.Command {
	var o backing
	c := &cobra.Command{
		Use:   "backup [FILE] --out DIR --recipient age1…",
		Short: "Keep all that the cluster is built of, encrypted",
		Long: `Reads what the playbooks keep (RabbitMQ's definitions: users, virtual hosts, queues, policies; a snapshot of
Consul), the swarm's objects, all secrets and the inventory's files, and writes them into one file in DIR, which only
the holder of the key can read: it is encrypted with age (https://age-encryption.org) before it is written, and
nothing is put on a host. Messages are not in it. It changes nothing.

age-keygen makes a key; its public part, age1…, is the recipient. Keep the other part elsewhere than the backups.`,
		Example: `  rmqprov backup prod.hcl --out /backups --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = optionalFile(args)
			return a.backup(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.out, "out", "", "the `DIR` to write into; it is made where it is not there")
	c.Flags().StringArrayVar(&o.recipients, "recipient", nil, "an age key that can read it, as `age1…`; may be repeated")
	return c
}

func (a *app) backup(ctx context.Context, o backing) error {
	recipients, err := o.keys()
	if err != nil {
		return err
	}
	want, from, err := a.loadFrom(o.source)
	if err != nil {
		return err
	}
	seen, err := a.observe(ctx, want, 0)
	if err != nil {
		return err
	}
	defer seen.Close()
	files := map[string][]byte{}
	for path, content := range from.files {
		files[filepath.Base(path)] = content
	}
	b, err := seen.Backup(ctx, seen.want, files, func(line string) { fmt.Fprintln(a.Stderr, line) })
	if err != nil {
		return errors.Join(err, seen.trouble())
	}
	path, err := o.write(b, recipients)
	if err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	_, err = fmt.Fprintln(a.Stdout, path)
	return err
}

func (o backing) keys() ([]age.Recipient, error) {
	if o.out == "" || len(o.recipients) == 0 {
		return nil, errors.New("--out says where to write, and --recipient who can read it; a backup is never written plain\n→ `age-keygen -o key.txt` makes a key and prints its recipient, age1…")
	}
	var keys []age.Recipient
	for _, text := range o.recipients {
		key, err := age.ParseX25519Recipient(text)
		if err != nil { // what was given may be the secret part
			return nil, errors.New("--recipient takes the public part of an age key, which begins with age1")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// write writes the backup beside its place and then moves it there: what has its
// name is whole.
func (o backing) write(b *provision.Backup, recipients []age.Recipient) (path string, err error) {
	if err := os.MkdirAll(o.out, 0o700); err != nil {
		return "", err
	}
	path = filepath.Join(o.out, fmt.Sprintf("%s-%s.age", b.About.Cluster, b.About.Time.Format("20060102T150405Z")))
	f, err := os.CreateTemp(o.out, ".rmqprov-backup-*") // only its owner may read it
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name()) // it is gone when all went well
	if err := errors.Join(b.Write(f, recipients...), f.Sync(), f.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(f.Name(), path)
}
