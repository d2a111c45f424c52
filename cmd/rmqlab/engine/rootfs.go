package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Rootfs is the recipe of an image made from Debian packages.
type Rootfs struct {
	Suite    string   // "bullseye", "bookworm", "trixie"
	Variant  string   // mmdebstrap's variant; default "minbase"
	Packages []string // beyond the variant's own
	// Customize is a shell script (sh -eu) that runs on the machine when all packages are in,
	// with $1 the root directory of the image: write files under "$1", run programs with chroot "$1".
	Customize string
	// Files are put into the image before Customize runs, by absolute path.
	Files map[string]File
	// Changes are Dockerfile instructions for the image's configuration: CMD, ENTRYPOINT, ENV,
	// EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR.
	Changes []string
}

// File is a regular file of an image, owned by root.
type File struct {
	Mode    os.FileMode
	Content string
}

// Hash names the recipe, mirror included: the same hash means the same image would be built,
// up to what the mirror's packages have moved on since.
func (r Rootfs) Hash(m Mirror) string {
	b, err := json.Marshal(struct {
		R Rootfs
		M Mirror
	}{r, m})
	if err != nil {
		panic(err) // strings and maps of strings always marshal
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// BuildRootfs makes sure that tag is an image built from that recipe, building it when it is
// missing or was built from another recipe. It is safe to call for different and for equal
// tags at the same time, from several processes.
func (e *Engine) BuildRootfs(ctx context.Context, tag string, r Rootfs) error {
	mirror, err := ReadMirror(ctx)
	if err != nil {
		return err
	}
	hash := r.Hash(mirror)
	if ok, err := e.Current(ctx, tag, hash); ok || err != nil {
		return err
	}
	unlock, err := e.Lock("image-" + tag)
	if err != nil {
		return err
	}
	defer unlock()
	if ok, err := e.Current(ctx, tag, hash); ok || err != nil {
		return err // another process built it while this one waited
	}
	e.Say("building image %s from Debian %s packages", tag, r.Suite)
	work, err := os.MkdirTemp(e.Cache, "rootfs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	tar, err := e.debootstrap(ctx, work, mirror, r)
	if err != nil {
		return fmt.Errorf("building image %s: %w", tag, err)
	}
	if err := e.importTar(ctx, tag, tar, append(r.Changes, "LABEL "+RecipeLabel+"="+hash)); err != nil {
		return err
	}
	e.Say("image %s is ready", tag)
	return nil
}

// debootstrap runs mmdebstrap in the directory work and returns the path of its tar.
func (e *Engine) debootstrap(ctx context.Context, work string, mirror Mirror, r Rootfs) (string, error) {
	script, err := customizeScript(work, r)
	if err != nil {
		return "", err
	}
	variant := r.Variant
	if variant == "" {
		variant = "minbase"
	}
	tar := filepath.Join(work, "rootfs.tar")
	// Nobody needs what an interrupted build left, so nothing is synced to disk: it halves the time.
	args := []string{"--quiet", "--mode=root", "--variant=" + variant, "--format=tar", "--dpkgopt=force-unsafe-io"}
	for _, o := range mirror.Options {
		args = append(args, "--aptopt="+o)
	}
	if len(r.Packages) > 0 {
		args = append(args, "--include="+strings.Join(r.Packages, ","))
	}
	args = append(args, "--customize-hook="+script, r.Suite, tar, "-")
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "mmdebstrap", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(mirror.SourcesList(r.Suite)), &out, &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("mmdebstrap %s: %w:\n%s", r.Suite, err, strings.TrimSpace(out.String()))
	}
	return tar, nil
}

// forgetOptions removes mmdebstrap's own options from the image, which leaves them there.
const forgetOptions = `rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap` + "\n"

// customizeScript stages the recipe's files in the directory work, and returns the path of a
// script that puts them into the image and then does what the recipe says.
func customizeScript(work string, r Rootfs) (string, error) {
	var script strings.Builder
	script.WriteString("#!/bin/sh\nset -eu\n")
	for i, path := range slices.Sorted(maps.Keys(r.Files)) {
		staged := filepath.Join(work, fmt.Sprintf("file-%d", i))
		if err := os.WriteFile(staged, []byte(r.Files[path].Content), 0o600); err != nil {
			return "", err
		}
		fmt.Fprintf(&script, "install -D -m %04o '%s' \"$1\"'%s'\n", r.Files[path].Mode.Perm(), staged, path)
	}
	script.WriteString(r.Customize + "\n" + forgetOptions)
	name := filepath.Join(work, "customize")
	return name, os.WriteFile(name, []byte(script.String()), 0o755)
}

// importTar makes an image of one layer from a root file system's tar.
func (e *Engine) importTar(ctx context.Context, tag, tar string, changes []string) error {
	f, err := os.Open(tar)
	if err != nil {
		return err
	}
	defer f.Close()
	args := []string{"import"}
	for _, c := range changes {
		args = append(args, "--change", c)
	}
	if err := e.DockerIO(ctx, f, nil, append(args, "-", tag)...); err != nil {
		return err
	}
	// The image of an older recipe has lost its tag; hosts that still run on it keep it.
	_, err = e.Docker(ctx, "image", "prune", "--force", "--filter", "label="+RecipeLabel)
	return err
}
