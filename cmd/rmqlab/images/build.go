package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
)

// builder builds layers into dir. Every layer is built once, whoever asks for it first.
type builder struct {
	engine *engine.Engine
	mirror engine.Mirror
	dir    string

	mu     sync.Mutex
	suites map[string]*suite
	layers map[string]func() error
}

func newBuilder(ctx context.Context, e *engine.Engine) (*builder, error) {
	mirror, err := engine.ReadMirror(ctx)
	if err != nil {
		return nil, err
	}
	b := &builder{engine: e, mirror: mirror, dir: filepath.Join(e.Cache, "images"),
		suites: map[string]*suite{}, layers: map[string]func() error{}}
	return b, os.MkdirAll(b.dir, 0o755)
}

func (b *builder) suite(ctx context.Context, name string) *suite {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.suites[name] == nil {
		b.suites[name] = newSuite(ctx, b.engine, filepath.Join(b.dir, "apt"), name, b.mirror)
	}
	return b.suites[name]
}

// hash names all that an image is made from.
func (b *builder) hash(r recipe) string { return hashOf(b.mirror, r) }

func (b *builder) layerPath(l layer) string {
	return filepath.Join(b.dir, l.Name+"-"+hashOf(b.mirror, l)+".tar.gz")
}

func hashOf(parts ...any) string {
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // strings, and structs and maps of strings, always marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func (b *builder) build(ctx context.Context, tag string, r recipe) error {
	for _, l := range r.Layers {
		if err := b.layer(ctx, l)(); err != nil {
			return fmt.Errorf("building image %s: %w", tag, err)
		}
	}
	return nil
}

// layer returns what builds a layer and waits for it, the same for all who ask.
func (b *builder) layer(ctx context.Context, l layer) func() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	path := b.layerPath(l)
	if b.layers[path] == nil {
		b.layers[path] = sync.OnceValue(func() error { return b.buildLayer(ctx, l, path) })
	}
	return b.layers[path]
}

func (b *builder) buildLayer(ctx context.Context, l layer, path string) error {
	unlock, err := b.engine.Lock("layer-" + l.Name)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b.engine.Say("building image layer %s from Debian packages", l.Name)
	work, err := os.MkdirTemp(b.dir, "work-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	root := filepath.Join(work, "root")
	if err := b.fill(ctx, l, root); err != nil {
		return err
	}
	base := ""
	if l.Base != nil {
		base = filepath.Join(work, "base")
		if err := unpack(ctx, b.layerPath(*l.Base), base); err != nil {
			return err
		}
	}
	if err := customize(ctx, l, root, base); err != nil {
		return err
	}
	return pack(ctx, root, path)
}

// fill extracts a layer's packages into the directory root and adds its files.
func (b *builder) fill(ctx context.Context, l layer, root string) error {
	if err := mergedUsr(root); err != nil {
		return err
	}
	var debs []string
	if len(l.Packages) > 0 {
		var without []string
		if l.Base != nil {
			without = l.Base.Packages
		}
		files, err := b.suite(ctx, l.Suite).fetch(ctx, l.Packages, without)
		if err != nil {
			return err
		}
		debs = slices.DeleteFunc(files, func(f string) bool {
			return isDropped(f, dropped) || isDropped(f, l.Drop)
		})
	}
	for _, a := range l.Alone {
		files, err := b.suite(ctx, a.Suite).fetchAlone(ctx, a.Packages)
		if err != nil {
			return err
		}
		debs = append(debs, files...)
	}
	for _, deb := range debs {
		if err := extract(ctx, deb, root); err != nil {
			return err
		}
	}
	return writeFiles(root, l.Files)
}

// mergedUsr lays out a root whose /bin, /sbin, /lib and /lib64 are links into /usr, so that
// packages of Debian 12 and older, which know nothing of it, extract into the right places.
func mergedUsr(root string) error {
	for _, d := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.MkdirAll(filepath.Join(root, "usr", d), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("usr/"+d, filepath.Join(root, d)); err != nil {
			return err
		}
	}
	return nil
}

func extract(ctx context.Context, deb, root string) error {
	dpkg := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	tar := exec.CommandContext(ctx, "tar", "--extract", "--keep-directory-symlink", "--directory="+root,
		"--exclude=./usr/share/doc", "--exclude=./usr/share/man", "--exclude=./usr/share/locale",
		"--exclude=./usr/share/info", "--exclude=./usr/share/lintian", "--exclude=./usr/share/bash-completion",
		"--exclude=./usr/share/zsh", "--exclude=./usr/share/bug")
	var stderr bytes.Buffer
	dpkg.Stderr, tar.Stderr = &stderr, &stderr
	pipe, err := dpkg.StdoutPipe()
	if err != nil {
		return err
	}
	tar.Stdin = pipe
	if err := dpkg.Start(); err != nil {
		return err
	}
	err = tar.Run()
	if err := errors.Join(err, dpkg.Wait()); err != nil {
		return fmt.Errorf("extracting %s: %w: %s", filepath.Base(deb), err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

func writeFiles(root string, files map[string]engine.File) error {
	for path, f := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(f.Content), f.Mode); err != nil {
			return err
		}
		if err := os.Chmod(path, f.Mode); err != nil { // past the umask
			return err
		}
	}
	return nil
}

// customize runs a layer's script with the layer's root and the base's root as arguments.
func customize(ctx context.Context, l layer, root, base string) error {
	return run(ctx, "build.sh of "+l.Name, "sh", "-euc", l.Script, "build.sh", root, base)
}

func unpack(ctx context.Context, tar, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return run(ctx, "unpacking "+filepath.Base(tar), "tar", "--extract", "--gzip", "--numeric-owner", "--file="+tar, "--directory="+dir)
}

// pack makes a layer's file appear complete or not at all.
func pack(ctx context.Context, root, path string) error {
	partial := path + ".partial"
	err := run(ctx, "packing "+filepath.Base(path), "tar", "--create", "--numeric-owner", "--sort=name",
		"--use-compress-program=gzip --no-name -4", "--file="+partial, "--directory="+root, ".")
	if err != nil {
		return err
	}
	return os.Rename(partial, path)
}

func run(ctx context.Context, what, program string, args ...string) error {
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", what, err, bytes.TrimSpace(out))
	}
	return nil
}

// assemble makes the image of layers that are built.
func (b *builder) assemble(r recipe) (v1.Image, error) {
	img := empty.Image
	var created time.Time
	for _, l := range r.Layers {
		info, err := os.Stat(b.layerPath(l))
		if err != nil {
			return nil, fmt.Errorf("reading image layer %s: %w", l.Name, err)
		}
		created = info.ModTime()
		built, err := tarball.LayerFromFile(b.layerPath(l))
		if err != nil {
			return nil, fmt.Errorf("reading image layer %s: %w", l.Name, err)
		}
		if img, err = mutate.AppendLayers(img, built); err != nil {
			return nil, err
		}
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.Architecture, file.OS = runtime.GOARCH, "linux" // the packages are the machine's own
	file.Created = v1.Time{Time: created.UTC()}
	file.Config = r.config()
	file.Config.Labels = map[string]string{engine.RecipeLabel: b.hash(r)}
	return mutate.ConfigFile(img, file)
}

func isNotFound(err error) bool {
	t, ok := errors.AsType[*transport.Error](err)
	return ok && t.StatusCode == http.StatusNotFound
}
