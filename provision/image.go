package provision

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/remote"
)

// buildImage builds an image by the host's own docker command, which takes
// BuildKit where the host has it. The folder goes through the SSH connection.
func (s *Session) buildImage(ctx context.Context, m *machine, a plan.BuildImage, say func(string)) error {
	folder, err := inventory.ReadContext(a.Dir)
	if err != nil {
		return fmt.Errorf("reading the folder of %s: %w\n→ nothing was built", a.Ref, err)
	}
	if folder.Hash != a.Hash {
		return fmt.Errorf("the folder %s has changed since the plan was made, and nothing was built\n→ run apply again", a.Dir)
	}
	sent, tar := io.Pipe()
	defer sent.Close()
	go func() { tar.CloseWithError(pack(folder, tar)) }()
	argv := []string{"docker", "build", "--tag", a.Ref}
	for _, key := range slices.Sorted(maps.Keys(a.Tags)) {
		argv = append(argv, "--label", key+"="+a.Tags[key])
	}
	_, err = m.ssh.Run(ctx, remote.Command{
		Argv: append(argv, "-"), Name: "docker build", Sudo: true, Stdin: sent, Stdout: lines(say), Stderr: lines(say), MaxOutput: -1,
	})
	if err != nil {
		return fmt.Errorf("building %s on %s from %s: %w\n→ what runs goes on with the image that it has; mend the Dockerfile, or what it lacks on that host, and run apply again", a.Ref, m.Name, a.Dir, err)
	}
	return hasImage(ctx, m, a.Ref)
}

// pack writes a folder as `docker build -` reads it, compressed for the way.
func pack(folder *inventory.Context, w io.Writer) error {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	return errors.Join(folder.WriteTar(zip), zip.Close())
}

// hasImage asks a host for an image.
func hasImage(ctx context.Context, m *machine, ref string) error {
	if _, err := m.docker.ImageInspect(ctx, ref); err != nil {
		return fmt.Errorf("%s is not on %s, though all that brings it there went well: %w", ref, m.Name, err)
	}
	return nil
}

// copyImage hands an image from one host to another, through the connections
// that this run has to both.
func (s *Session) copyImage(ctx context.Context, m *machine, a plan.CopyImage) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	saved, err := s.hosts[a.From].docker.ImageSave(ctx, []string{a.Ref})
	if err != nil {
		return fmt.Errorf("reading %s on %s: %w", a.Ref, a.From, err)
	}
	defer saved.Close()
	loaded, err := m.docker.ImageLoad(ctx, saved, client.ImageLoadWithQuiet(true))
	if err == nil {
		err = loadResult(loaded)
		loaded.Close()
	}
	if err != nil {
		return fmt.Errorf("bringing %s from %s to %s: %w", a.Ref, a.From, m.Name, err)
	}
	return hasImage(ctx, m, a.Ref)
}

// loadResult reads what Docker says of an image that it loads, to its end.
func loadResult(r io.Reader) error {
	for said := json.NewDecoder(r); ; {
		var line struct{ Error string }
		switch err := said.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case line.Error != "":
			return errors.New(line.Error)
		}
	}
}

// removeImage takes an image's name off a host. Containers that have ended do
// not keep it; one that runs does.
func (s *Session) removeImage(ctx context.Context, m *machine, a plan.RemoveImage) error {
	_, err := m.docker.ImageRemove(ctx, a.Ref, client.ImageRemoveOptions{Force: true, PruneChildren: true})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("removing image %s on %s: %w", a.Ref, m.Name, err)
	}
	return nil
}
