package playbooks

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// skeleton is a playbook to start from. It is the worked example of
// docs/playbooks.md.
//
//go:embed skeleton
var skeleton embed.FS

const skeletonName = "hello"

// WriteSkeleton writes a playbook to start from into a folder, which is made,
// and returns the paths of its files. What is there already is an error, and
// nothing is written. Name is the playbook's and its members'.
func WriteSkeleton(dir, name string) ([]string, error) {
	if !slotName.MatchString(name) {
		return nil, fmt.Errorf("%q is no name for a playbook: its members are named after it, so it is lower-case letters, digits and hyphens, and begins with a letter", name)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is there already and stays as it is", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	entries, err := skeleton.ReadDir("skeleton")
	if err != nil {
		return nil, err
	}
	var written []string
	for _, e := range entries {
		text, err := skeleton.ReadFile(path.Join("skeleton", e.Name()))
		if err != nil {
			return written, err
		}
		to := filepath.Join(dir, renamed(e.Name(), name))
		if err := os.WriteFile(to, []byte(renamed(string(text), name)), 0o644); err != nil {
			return written, err
		}
		written = append(written, to)
	}
	return written, nil
}

// renamed gives the skeleton's own things the playbook's name.
func renamed(text, name string) string { return strings.ReplaceAll(text, skeletonName, name) }
