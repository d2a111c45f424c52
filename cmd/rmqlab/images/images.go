// Package images builds the container images that the lab's registry serves, from Debian
// packages, with the contract of the official images of the same names: entrypoint, command,
// users, paths and environment.
//
// An image is a base layer that all images of a Debian release share, so that a host pulls it
// once, and a layer of its own. Packages are extracted, not installed: that takes seconds, and
// leaves out what only package scripts need. Each layer's build.sh does what is left to do.
package images

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
)

// Demo are the images that a first cluster needs.
var Demo = []string{"rabbitmq:4.0.5", "consul:1.8.7", "haproxy:3.0"}

// Names are all images that can be built for the registry, sorted.
func Names() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(recipes)), func(n string) bool {
		return strings.HasPrefix(n, "rmqlab-")
	})
}

// Build makes sure that the layers of the named images are in the engine's cache; without
// names, those of all images that Names lists. What is there already is not built again.
func Build(ctx context.Context, e *engine.Engine, names ...string) error {
	if len(names) == 0 {
		names = Names()
	}
	b, err := newBuilder(ctx, e)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range names {
		r, err := find(n)
		if err != nil {
			return err
		}
		g.Go(func() error { return b.build(ctx, n, r) })
	}
	return g.Wait()
}

// Push builds the named images where needed and sends them to the registry at address
// ("10.78.0.1:5000"), a plain name as library/NAME, where a host that has the registry as its
// mirror looks for it. Images that the registry has from the same recipe are left alone.
func Push(ctx context.Context, e *engine.Engine, address string, names ...string) error {
	if len(names) == 0 {
		names = Names()
	}
	b, err := newBuilder(ctx, e)
	if err != nil {
		return err
	}
	var missing []string
	for _, n := range names {
		r, err := find(n)
		if err != nil {
			return err
		}
		ok, err := b.inRegistry(ctx, address, n, r)
		if err != nil {
			return err
		}
		if !ok {
			missing = append(missing, n)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := Build(ctx, e, missing...); err != nil {
		return err
	}
	writes := map[name.Reference]remote.Taggable{}
	var pulls []string
	for _, n := range missing {
		ref, err := reference(address, n)
		if err != nil {
			return err
		}
		img, err := b.assemble(recipes[n])
		if err != nil {
			return err
		}
		size, err := pullSize(img)
		if err != nil {
			return err
		}
		writes[ref] = img
		pulls = append(pulls, fmt.Sprintf("%s (%.0f MB)", n, float64(size)/1e6))
	}
	if err := remote.MultiWrite(writes, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("sending images to the lab's registry: %w", err)
	}
	e.Say("in the lab's registry: %s", strings.Join(pulls, ", "))
	return nil
}

// Load builds the named image where needed and puts it into the lab's engine under that name.
func Load(ctx context.Context, e *engine.Engine, tag string) error {
	r, err := find(tag)
	if err != nil {
		return err
	}
	b, err := newBuilder(ctx, e)
	if err != nil {
		return err
	}
	if ok, err := e.Current(ctx, tag, b.hash(r)); ok || err != nil {
		return err
	}
	if err := Build(ctx, e, tag); err != nil {
		return err
	}
	img, err := b.assemble(r)
	if err != nil {
		return err
	}
	ref, err := name.NewTag(tag)
	if err != nil {
		return err
	}
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(tarball.Write(ref, img, pw)) }()
	return e.DockerIO(ctx, pr, nil, "load", "--quiet")
}

func find(tag string) (recipe, error) {
	r, ok := recipes[tag]
	if !ok {
		return r, fmt.Errorf("the lab has no recipe for image %s; it has %s", tag, strings.Join(Names(), ", "))
	}
	return r, nil
}

func reference(address, tag string) (name.Tag, error) {
	if !strings.Contains(tag, "/") {
		tag = "library/" + tag
	}
	return name.NewTag(address+"/"+tag, name.Insecure)
}

// inRegistry reports whether the registry holds that image, built from that recipe.
func (b *builder) inRegistry(ctx context.Context, address, tag string, r recipe) (bool, error) {
	ref, err := reference(address, tag)
	if err != nil {
		return false, err
	}
	img, err := remote.Image(ref, remote.WithContext(ctx))
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking the lab's registry for %s: %w", tag, err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return false, fmt.Errorf("reading %s in the lab's registry: %w", tag, err)
	}
	return config.Config.Labels[engine.RecipeLabel] == b.hash(r), nil
}

// pullSize is how many bytes a host fetches that has no layer of the image.
func pullSize(img v1.Image) (int64, error) {
	m, err := img.Manifest()
	if err != nil {
		return 0, err
	}
	total := m.Config.Size
	for _, l := range m.Layers {
		total += l.Size
	}
	return total, nil
}
