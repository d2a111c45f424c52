package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/inventory"
)

func fmtCommand(a *app) *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use:   "fmt [FILE]",
		Short: "Put inventory files into the usual layout",
		Long:  "Rewrites the file, or the *.hcl files of the folder, in the usual layout, and prints the names of those it changed.",
		Example: `  rmqprov fmt
  rmqprov fmt --check prod/    # for CI: changes nothing, and exits 1 if a file would be`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.format(optionalFile(args), check) },
	}
	c.Flags().BoolVar(&check, "check", false, "change nothing; exit 1 if a file is not in the usual layout")
	return c
}

func (a *app) format(path string, check bool) error {
	files, err := hclFiles(path)
	if err != nil {
		return err
	}
	var changed, broken int
	for _, file := range files {
		different, err := a.formatFile(file, check)
		switch {
		case err != nil:
			broken++
			if err := a.explain(err); err != nil {
				return err
			}
		case different:
			changed++
			fmt.Fprintln(a.Stdout, file)
		}
	}
	if broken > 0 || check && changed > 0 {
		return exit{status: statusFailed}
	}
	return nil
}

// hclFiles lists the files of an inventory, as load reads them.
func hclFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the inventory: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("reading the inventory: %w", err)
	}
	var files []string
	for _, e := range entries {
		if name := e.Name(); filepath.Ext(name) == ".hcl" && !e.IsDir() && !strings.HasPrefix(name, ".") {
			files = append(files, filepath.Join(path, name))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no file that ends in .hcl", path)
	}
	return files, nil
}

// unformattable is a file with errors, and its text to show them in.
type unformattable struct {
	diags hcl.Diagnostics
	files map[string]*hcl.File
}

func (u unformattable) Error() string { return u.diags.Error() }

// explain prints why a file was not formatted.
func (a *app) explain(err error) error {
	if u, ok := err.(unformattable); ok {
		return a.printDiagnostics(a.Stderr, u.files, u.diags)
	}
	_, err = fmt.Fprintln(a.Stderr, "rmqprov:", err)
	return err
}

// formatFile says whether a file's layout differs, and rewrites it unless
// check is set.
func (a *app) formatFile(path string, check bool) (different bool, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	formatted, diags := inventory.Format(text)
	if diags.HasErrors() {
		for _, d := range diags {
			named(d.Subject, path)
			named(d.Context, path)
		}
		return false, unformattable{diags, map[string]*hcl.File{path: {Bytes: text}}}
	}
	if bytes.Equal(text, formatted) {
		return false, nil
	}
	if check {
		return true, nil
	}
	return true, replaceFile(path, formatted)
}

func named(r *hcl.Range, file string) {
	if r != nil {
		r.Filename = file
	}
}

// replaceFile writes a file's new content so that a crash leaves the old or
// the new, never half of one.
func replaceFile(path string, content []byte) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(real), ".rmqprov-fmt-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // does nothing once it is renamed
	_, err = temporary.Write(content)
	if err == nil {
		err = temporary.Chmod(info.Mode().Perm())
	}
	if closed := temporary.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), real)
}
