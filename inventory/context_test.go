package inventory

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder makes a folder with files, by name; a name that ends in * can be executed.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		mode := os.FileMode(0o640)
		if bare, ok := strings.CutSuffix(name, "*"); ok {
			name, mode = bare, 0o750
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func contextOf(t *testing.T, dir string) *Context {
	t.Helper()
	c, err := ReadContext(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What .dockerignore leaves out is not sent; the Dockerfile and .dockerignore
// itself always are. Modes and times are those of no machine.
func TestContextIsWhatDockerWouldSend(t *testing.T) {
	dir := folder(t, map[string]string{
		"Dockerfile": "FROM scratch\n", "run*": "#!/bin/sh\n", "src/main.go": "package main\n", "src/keep.log": "x", "src/drop.log": "x",
		".git/config": "x", "deep/a/b.tmp": "x", ".dockerignore": "# not these\nDockerfile\n.dockerignore\n.git\n**/*.log\n!src/keep.log\ndeep\n",
	})
	if err := os.Symlink("run", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	var sent bytes.Buffer
	if err := contextOf(t, dir).WriteTar(&sent); err != nil {
		t.Fatal(err)
	}
	var got []string
	for in := tar.NewReader(&sent); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(contextTime) || h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s: of %s, owner %d %q", h.Name, h.ModTime, h.Uid, h.Uname)
		}
		got = append(got, h.FileInfo().Mode().String()+" "+h.Name+" "+h.Linkname)
	}
	want := []string{
		"-rw-r--r-- .dockerignore ", "-rw-r--r-- Dockerfile ", "Lrwxrwxrwx link run", "-rwxr-xr-x run ",
		"drwxr-xr-x src/ ", "-rw-r--r-- src/keep.log ", "-rw-r--r-- src/main.go ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The hash follows what goes into the image, and nothing else.
func TestContextHash(t *testing.T) {
	files := func(change ...string) map[string]string {
		all := map[string]string{"Dockerfile": "FROM scratch\n", "run*": "one", "notes.txt": "x", ".dockerignore": "*.txt\n"}
		for i := 0; i < len(change); i += 2 {
			all[change[i]] = change[i+1]
		}
		return all
	}
	first := contextOf(t, folder(t, files())).Hash
	for name, c := range map[string]struct {
		dir  string
		same bool
	}{
		"the same elsewhere":          {folder(t, files()), true},
		"what is left out":            {folder(t, files("notes.txt", "y", "more.txt", "z")), true},
		"a content":                   {folder(t, files("run*", "two")), false},
		"a new file":                  {folder(t, files("extra", "")), false},
		"a content moved into a name": {folder(t, map[string]string{"Dockerfile": "FROM scratch\n", "runo*": "ne", ".dockerignore": "*.txt\n"}), false},
	} {
		if got := contextOf(t, c.dir).Hash; (got == first) != c.same {
			t.Errorf("%s: the hash is %s, was %s", name, got, first)
		}
	}
	dir := folder(t, files())
	if err := os.Chmod(filepath.Join(dir, "run"), 0o640); err != nil {
		t.Fatal(err)
	}
	if contextOf(t, dir).Hash == first {
		t.Error("a file that can no longer be executed is the same image")
	}
}

func TestContextThatCannotBeRead(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no Dockerfile":          {"run": ""},
		"no folder":              nil,
		"a pattern that is none": {"Dockerfile": "", ".dockerignore": "[a\n"},
	} {
		dir := folder(t, files)
		if files == nil {
			dir = filepath.Join(dir, "none")
		}
		if c, err := ReadContext(dir); err == nil {
			t.Errorf("%s: read as %v", name, slices.Collect(func(yield func(string) bool) {
				for _, e := range c.all {
					yield(e.name)
				}
			}))
		}
	}
}
