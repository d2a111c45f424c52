package provision

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// maxBackup bounds what a backup unpacks to, in bytes.
const maxBackup = 1 << 30

// ReadBackup reads what Backup.Write wrote. Its error tells a wrong identity from
// a file that is no backup.
func ReadBackup(r io.Reader, identities ...age.Identity) (*Backup, error) {
	plain, err := age.Decrypt(r, identities...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, errors.New("it is encrypted to another key than this identity's")
	}
	if err != nil {
		return nil, err
	}
	packed, err := gzip.NewReader(plain)
	if err != nil {
		return nil, fmt.Errorf("it is no backup of rmqprov's: %w", err)
	}
	b := &Backup{Data: map[string][]byte{}, Files: map[string][]byte{}}
	files := tar.NewReader(io.LimitReader(packed, maxBackup))
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return b, b.check()
		}
		if err != nil {
			return nil, fmt.Errorf("it is cut short or changed: %w", err)
		}
		content, err := io.ReadAll(files)
		if err == nil {
			err = b.take(header.Name, content)
		}
		if err != nil {
			return nil, fmt.Errorf("%s in it: %w", header.Name, err)
		}
	}
}

func (b *Backup) take(name string, content []byte) error {
	data, isData := strings.CutPrefix(name, dataDir)
	file, isFile := strings.CutPrefix(name, filesDir)
	switch {
	case name == aboutFile:
		return json.Unmarshal(content, &b.About)
	case name == swarmFile:
		return json.Unmarshal(content, &b.Swarm)
	case name == secretsFile:
		return json.Unmarshal(content, &b.Secrets)
	case isData:
		b.Data[data] = content
	case isFile:
		b.Files[file] = content
	}
	return nil
}

func (b *Backup) check() error {
	if b.About.Format != backupFormat {
		return fmt.Errorf("it is a backup of form %d, and this version of rmqprov reads form %d", b.About.Format, backupFormat)
	}
	return nil
}

// Kept is what the backup has of a stack.
func (b *Backup) Kept(stack, name string) []byte { return b.Data[stack+"/"+name] }

// WithSecrets gives those secrets that would be generated the values that they
// had: where the swarm does not have them yet, they are made of these.
func (b *Backup) WithSecrets(want plan.Want) plan.Want {
	want.Stacks = slices.Clone(want.Stacks)
	for i := range want.Stacks {
		stack := &want.Stacks[i]
		stack.Secrets = slices.Clone(stack.Secrets)
		for j := range stack.Secrets {
			if secret := &stack.Secrets[j]; secret.Value == "" {
				secret.Value = b.Secrets[stack.Name][secret.Name]
			}
		}
	}
	return want
}

// restoreData runs a command that reads what a backup kept.
func (s *Session) restoreData(ctx context.Context, a plan.RestoreData) error {
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	places, err := s.containers(ctx, a.Services)
	if err != nil {
		return err
	}
	return places[0].pipe(ctx, a.Exec, bytes.NewReader(a.Content), io.Discard)
}
