package playbooks

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"

	"github.com/rmqprov/rmqprov/inventory"
)

//go:embed consul rabbitmq haproxy redis monitoring
var embedded embed.FS

// folder is where a playbook's files are: inside the binary or beside the
// inventory.
type folder struct {
	fs    fs.FS
	shown string // what diagnostics call it
	dir   string // on disk; "" when it is embedded
	files map[string]*hcl.File
}

// open finds the folder that an inventory's `playbook = "…"` means. at is the
// place that a complaint points to.
func open(name, dir string, at hcl.Range) (*folder, *hcl.Diagnostic) {
	if !isPath(name) {
		return openEmbedded(name, at)
	}
	place := name
	if !filepath.IsAbs(place) {
		place = filepath.Join(dir, place)
	}
	info, err := os.Stat(place)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, problem(at, "No such playbook folder", fmt.Sprintf(
			"There is no folder %s (%s, seen from the inventory). A playbook of your own is a folder with a playbook.hcl and the files that it names.", place, name))
	case err != nil:
		return nil, problem(at, "Playbook folder unreadable", fmt.Sprintf("Looking at %s: %v.", place, err))
	case !info.IsDir():
		return nil, problem(at, "Not a folder", place+" is a file; a playbook is a folder with a playbook.hcl.")
	}
	return &folder{fs: os.DirFS(place), shown: name, dir: place, files: map[string]*hcl.File{}}, nil
}

func openEmbedded(name string, at hcl.Range) (*folder, *hcl.Diagnostic) {
	if !slices.Contains(embeddedNames(), name) {
		return nil, problem(at, "Unknown playbook", unknownPlaybook(name))
	}
	sub, err := fs.Sub(embedded, name)
	if err != nil {
		return nil, problem(at, "Playbook unreadable", err.Error())
	}
	return &folder{fs: sub, shown: "playbook:" + name, files: map[string]*hcl.File{}}, nil
}

func isPath(name string) bool {
	return strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") || strings.HasPrefix(name, "/")
}

// embeddedNames lists the playbooks in the binary, sorted.
func embeddedNames() []string {
	entries, err := embedded.ReadDir(".")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func unknownPlaybook(name string) string {
	msg := fmt.Sprintf("The binary carries no playbook %q; it carries %s.", name, strings.Join(embeddedNames(), ", "))
	return msg + didYouMean(name, embeddedNames()) + ` A folder of your own is written "./folder".`
}

// didYouMean names the known name that is a typing mistake away from name.
func didYouMean(name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := levenshtein.Distance(name, k, nil); d < distance && d < len(name) {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}

// path is how diagnostics call a file of the folder.
func (f *folder) path(name string) string { return path.Join(f.shown, name) }

// read returns a file's bytes and keeps them, so that a diagnostic can show
// its lines.
func (f *folder) read(name string) ([]byte, error) {
	src, err := fs.ReadFile(f.fs, path.Clean(name))
	if err != nil {
		return nil, err
	}
	f.keep(name, src)
	return src, nil
}

func (f *folder) keep(name string, src []byte) {
	f.files[f.path(name)] = &hcl.File{Bytes: src}
}

func (f *folder) parse(name string) (*hcl.File, hcl.Diagnostics) {
	src, err := f.read(name)
	if err != nil {
		return nil, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "No playbook.hcl",
			Detail:   fmt.Sprintf("%s has no readable playbook.hcl: %v.", f.shown, err),
		}}
	}
	file, diags := inventory.Parse(src, f.path(name))
	if file != nil {
		f.files[f.path(name)] = file
	}
	return file, diags
}

// sources travels in a diagnostic's Extra, so that whoever prints it has the
// lines of the playbook at hand. Extra that was there before stays reachable.
type sources struct {
	files map[string]*hcl.File
	inner any
}

func (s sources) UnwrapDiagnosticExtra() any { return s.inner }

// attach gives every diagnostic the folder's sources.
func (f *folder) attach(diags hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range diags {
		if _, ok := d.Extra.(sources); !ok {
			d.Extra = sources{f.files, d.Extra}
		}
	}
	return diags
}

// Sources returns the playbook files that the diagnostics of Bind point into,
// by the file name in their ranges, for printing them with their lines.
func Sources(diags hcl.Diagnostics) map[string]*hcl.File {
	all := map[string]*hcl.File{}
	for _, d := range diags {
		s, ok := hcl.DiagnosticExtra[sources](d)
		if !ok {
			continue
		}
		for name, file := range s.files {
			all[name] = file
		}
	}
	return all
}

func problem(at hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}
}

func warning(at hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: summary, Detail: detail, Subject: &at}
}

// listed writes names as a sentence has them.
func listed(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	return strings.Join(quoted, ", ")
}

func quote(s string) string { return fmt.Sprintf("%q", s) }
