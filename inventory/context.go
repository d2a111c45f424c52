package inventory

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// Context is the folder that an image is built from: what `docker build` would
// send of it, without what its .dockerignore leaves out.
type Context struct {
	Hash string // of names, contents, links and whether a file may be executed; nothing else of a file goes into an image
	dir  string
	all  []contextEntry
}

type contextEntry struct {
	name string // relative to the folder, with slashes
	info fs.FileInfo
	link string // target of a symbolic link
}

const (
	dockerfile   = "Dockerfile"
	dockerignore = ".dockerignore"
)

// ReadContext reads the folder of an image. Its error says what is wrong with it.
func ReadContext(dir string) (*Context, error) {
	if info, err := os.Stat(filepath.Join(dir, dockerfile)); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s holds no %s", dir, dockerfile)
	}
	ignored, err := ignoredIn(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, dockerignore), err)
	}
	c := &Context{dir: dir}
	if err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error { return c.visit(file, d, err, ignored) }); err != nil {
		return nil, err
	}
	hash := sha256.New()
	for _, e := range c.all {
		if err := c.sum(hash, e); err != nil {
			return nil, err
		}
	}
	c.Hash = hex.EncodeToString(hash.Sum(nil)[:6])
	return c, nil
}

func ignoredIn(dir string) (*patternmatcher.PatternMatcher, error) {
	f, err := os.Open(filepath.Join(dir, dockerignore))
	if errors.Is(err, fs.ErrNotExist) {
		return patternmatcher.New(nil)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return patternmatcher.New(patterns)
}

// visit takes one file of the walk, which goes by name. The Dockerfile and
// .dockerignore are sent in any case, as the docker command sends them: the
// builder reads them, and leaves them out of COPY where they are ignored.
func (c *Context) visit(file string, d fs.DirEntry, err error, ignored *patternmatcher.PatternMatcher) error {
	if err != nil {
		return err
	}
	relative, err := filepath.Rel(c.dir, file)
	if err != nil || relative == "." {
		return err
	}
	name := filepath.ToSlash(relative)
	if skip, err := ignored.MatchesOrParentMatches(name); err != nil {
		return err
	} else if skip && name != dockerfile && name != dockerignore {
		if d.IsDir() && !ignored.Exclusions() {
			return fs.SkipDir
		}
		return nil
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	e := contextEntry{name: name, info: info}
	switch {
	case d.Type() == fs.ModeSymlink:
		if e.link, err = os.Readlink(file); err != nil {
			return err
		}
	case !d.IsDir() && !info.Mode().IsRegular():
		return nil // sockets, pipes and devices are no part of an image
	}
	c.all = append(c.all, e)
	return nil
}

// sum puts an entry into a hash.
func (c *Context) sum(hash io.Writer, e contextEntry) error {
	fmt.Fprintf(hash, "%q %o %q %d\n", e.name, e.mode(), e.link, e.size())
	return c.content(hash, e)
}

// content writes what a file holds, which must be as much as the walk saw.
func (c *Context) content(w io.Writer, e contextEntry) error {
	if !e.info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(filepath.Join(c.dir, filepath.FromSlash(e.name)))
	if err != nil {
		return err
	}
	defer f.Close()
	if n, err := io.Copy(w, io.LimitReader(f, e.size())); err != nil || n != e.size() {
		return errors.Join(err, fmt.Errorf("%s changes while it is read", path.Join(c.dir, e.name)))
	}
	return nil
}

// mode is the same on every machine, whatever its umask is.
func (e contextEntry) mode() fs.FileMode {
	switch {
	case e.info.IsDir():
		return fs.ModeDir | 0o755
	case e.link != "":
		return fs.ModeSymlink | 0o777
	case e.info.Mode()&0o100 != 0:
		return 0o755
	}
	return 0o644
}

func (e contextEntry) size() int64 {
	if e.info.Mode().IsRegular() {
		return e.info.Size()
	}
	return 0
}

// contextTime is what every file of a context was changed at: no two machines
// agree on the real times. ZIP files cannot hold an earlier one.
var contextTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// WriteTar writes the folder as `docker build -` reads it.
func (c *Context) WriteTar(w io.Writer) error {
	out := tar.NewWriter(w)
	for _, e := range c.all {
		h, err := tar.FileInfoHeader(e.info, e.link)
		if err != nil {
			return err
		}
		*h = tar.Header{Typeflag: h.Typeflag, Name: e.name, Linkname: e.link, Mode: int64(e.mode().Perm()), Size: e.size(), ModTime: contextTime}
		if e.info.IsDir() {
			h.Name += "/"
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if err := c.content(out, e); err != nil {
			return err
		}
	}
	return out.Close()
}

// builtIn is the registry of images that are built on hosts. There is none of
// that name, and there never will be (RFC 2606), so that nothing is pulled from
// anywhere in such an image's place.
const builtIn = "rmqprov.invalid/"

// IsBuilt says whether a reference is that of an image built on a host.
func IsBuilt(ref string) bool { return strings.HasPrefix(ref, builtIn) }
