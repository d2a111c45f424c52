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
	"maps"
	"slices"
	"time"

	"filippo.io/age"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// Backup is all that a cluster is built of, but for what its queues hold.
type Backup struct {
	About BackupInfo
	Swarm SwarmObjects
	// Secrets are the values of all secrets, by stack and name.
	Secrets map[string]map[string]string
	// Data is what the playbooks' backup commands printed, by stack/name.
	Data map[string][]byte
	// Files are those of the inventory, by their names.
	Files map[string][]byte
}

// BackupInfo says of what and by whom a backup is.
type BackupInfo struct {
	Format  int       `json:"rmqprov_backup"`
	Cluster string    `json:"cluster"`
	Time    time.Time `json:"time"`
	By      string    `json:"by"`
	Version string    `json:"version"`
}

// backupFormat is the form of backups that this version writes and reads.
const backupFormat = 1

// SwarmObjects are the swarm's objects as they were, for people: apply makes them
// anew from the inventory.
type SwarmObjects struct {
	Nodes    []swarm.NodeSpec    `json:"nodes"`
	Services []swarm.ServiceSpec `json:"services"`
	Networks []network.Network   `json:"networks"`
	Configs  []swarm.ConfigSpec  `json:"configs"`
}

// maxKept bounds what one command of a backup prints, in bytes.
const maxKept = 256 << 20

// Backup reads what a backup holds, all of it in memory. It needs a session that
// has observed, and changes nothing. What cannot be read fails it: half a backup
// is none.
func (s *Session) Backup(ctx context.Context, want plan.Want, files map[string][]byte, say func(string)) (*Backup, error) {
	b := &Backup{
		About: BackupInfo{Format: backupFormat, Cluster: s.inv.Cluster.Name, Time: time.Now().UTC().Truncate(time.Second), By: s.options.By, Version: s.options.Version},
		Files: files, Secrets: map[string]map[string]string{}, Data: map[string][]byte{},
	}
	if err := s.onManager(ctx, func(docker *client.Client) error { return b.Swarm.read(ctx, docker) }); err != nil {
		return nil, fmt.Errorf("reading the swarm's objects: %w", err)
	}
	for _, stack := range want.Stacks {
		if err := s.backUpStack(ctx, stack, b, say); err != nil {
			return nil, fmt.Errorf("backing up stack %s: %w\n→ nothing was written; see `rmqprov status`", stack.Name, err)
		}
	}
	return b, nil
}

func (s *Session) backUpStack(ctx context.Context, stack playbooks.Stack, b *Backup, say func(string)) error {
	b.Secrets[stack.Name] = map[string]string{}
	for _, secret := range stack.Secrets {
		value, err := s.Secret(ctx, stack, secret.Name)
		if err != nil {
			return err
		}
		b.Secrets[stack.Name][secret.Name] = value
	}
	if len(stack.Secrets) > 0 {
		say(fmt.Sprintf("%s: %d secrets", stack.Name, len(stack.Secrets)))
	}
	for _, kept := range stack.Backups {
		out, err := s.printed(ctx, stack, kept)
		if err != nil {
			return fmt.Errorf("%s: %w", kept.Name, err)
		}
		b.Data[stack.Name+"/"+kept.Name] = out
		say(fmt.Sprintf("%s: %s, %d bytes", stack.Name, kept.Name, len(out)))
	}
	return nil
}

// printed is what a backup's command prints in a running member.
func (s *Session) printed(ctx context.Context, stack playbooks.Stack, kept playbooks.Backup) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, kept.Within)
	defer cancel()
	places, err := s.containers(ctx, plan.GateServices(stack, playbooks.Gate{}))
	if err != nil {
		return nil, err
	}
	var out bounded
	if err := places[0].pipe(ctx, kept.Exec, nil, &out); err != nil {
		return nil, err
	}
	if out.Len() == 0 {
		return nil, fmt.Errorf("%s on %s printed nothing", places[0].service, places[0].machine.Name)
	}
	return out.Bytes(), nil
}

// bounded is a buffer that refuses more than maxKept.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxKept {
		return 0, fmt.Errorf("it printed more than %d MiB", maxKept>>20)
	}
	return b.Buffer.Write(p)
}

// pipe runs a command in the container with an input, nil for none, and gives
// its output to out. Its error has what it said on stderr, and nothing of either.
func (p place) pipe(ctx context.Context, argv []string, in io.Reader, out io.Writer) error {
	status, said, err := p.stream(ctx, argv, in, out)
	switch {
	case err != nil:
		return fmt.Errorf("%s on %s: %w", p.service, p.machine.Name, err)
	case status != 0:
		return fmt.Errorf("%s on %s: exit status %d: %s", p.service, p.machine.Name, status, tail(said))
	}
	return nil
}

func (p place) stream(ctx context.Context, argv []string, in io.Reader, out io.Writer) (status int, said string, err error) {
	docker := p.machine.docker
	made, err := docker.ExecCreate(ctx, p.container, client.ExecCreateOptions{Cmd: argv, AttachStdin: in != nil, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return 0, "", err
	}
	attached, err := docker.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		return 0, "", err
	}
	stop := context.AfterFunc(ctx, attached.Close)
	defer stop()
	defer attached.Close()
	fed := make(chan error, 1)
	go func() { fed <- feed(attached.Conn, attached.CloseWrite, in) }()
	var stderr limited
	if _, err := stdcopy.StdCopy(out, &stderr, attached.Reader); err != nil {
		return 0, stderr.String(), errors.Join(err, ctx.Err())
	}
	seen, err := docker.ExecInspect(ctx, made.ID, client.ExecInspectOptions{})
	if err == nil && seen.ExitCode == 0 {
		err = <-fed
	}
	return seen.ExitCode, stderr.String(), err
}

func feed(to io.Writer, end func() error, in io.Reader) error {
	if in == nil {
		return nil
	}
	_, err := io.Copy(to, in)
	return errors.Join(err, end())
}

func (o *SwarmObjects) read(ctx context.Context, docker *client.Client) error {
	seen, err := readSwarm(ctx, docker)
	if err != nil {
		return err
	}
	*o = SwarmObjects{}
	for _, n := range seen.Nodes {
		o.Nodes = append(o.Nodes, n.Spec)
	}
	for _, svc := range seen.Services {
		o.Services = append(o.Services, svc.Spec)
	}
	for _, n := range seen.Networks {
		o.Networks = append(o.Networks, n.Network)
	}
	for _, c := range seen.Configs {
		o.Configs = append(o.Configs, c.Spec)
	}
	return nil
}

// Write writes the backup: a tar, packed, encrypted to recipients with age
// (https://age-encryption.org/v1). No part of it is written plain.
func (b *Backup) Write(w io.Writer, recipients ...age.Recipient) error {
	sealed, err := age.Encrypt(w, recipients...)
	if err != nil {
		return err
	}
	packed := gzip.NewWriter(sealed)
	files := tar.NewWriter(packed)
	if err := b.writeFiles(files); err != nil {
		return err
	}
	return errors.Join(files.Close(), packed.Close(), sealed.Close())
}

// The names in a backup.
const (
	aboutFile   = "about.json"
	swarmFile   = "swarm.json"
	secretsFile = "secrets.json"
	dataDir     = "data/"
	filesDir    = "inventory/"
)

func (b *Backup) writeFiles(files *tar.Writer) error {
	for _, part := range []struct {
		name  string
		value any
	}{{aboutFile, b.About}, {swarmFile, b.Swarm}, {secretsFile, b.Secrets}} {
		text, err := json.MarshalIndent(part.value, "", "  ")
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		if err := b.put(files, part.name, text); err != nil {
			return err
		}
	}
	for _, dir := range []struct {
		name  string
		files map[string][]byte
	}{{dataDir, b.Data}, {filesDir, b.Files}} {
		for _, name := range slices.Sorted(maps.Keys(dir.files)) {
			if err := b.put(files, dir.name+name, dir.files[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Backup) put(files *tar.Writer, name string, content []byte) error {
	header := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), ModTime: b.About.Time, Format: tar.FormatPAX}
	if err := files.WriteHeader(header); err != nil {
		return err
	}
	_, err := files.Write(content)
	return err
}
