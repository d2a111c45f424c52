package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand is for those who make packages.
func manCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the man pages",
		Long:    "Writes a page for each verb, and one each for the inventory, playbook.hcl and the playbooks, to DIR/man1 and DIR/man5.",
		Hidden:  true,
		Example: `  rmqprov man dist/man`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.writeMan(c.Root(), args[0]); err != nil {
				return fmt.Errorf("writing man pages: %w", err)
			}
			return nil
		},
	}
}

// writeMan leaves dates out: the same program writes the same pages.
func (a *app) writeMan(root *cobra.Command, dir string) error {
	root.DisableAutoGenTag = true
	verbs := filepath.Join(dir, "man1")
	if err := os.MkdirAll(verbs, 0o755); err != nil {
		return err
	}
	header := &doc.GenManHeader{Section: "1", Source: "rmqprov " + a.Version, Manual: "rmqprov"}
	if err := doc.GenManTree(root, header, verbs); err != nil {
		return err
	}
	formats := filepath.Join(dir, "man5")
	if err := os.MkdirAll(formats, 0o755); err != nil {
		return err
	}
	for _, p := range reference(root)[1:] { // the first has the verbs
		head := fmt.Sprintf("%% \"rmqprov-%s\" \"5\" \"\" \"rmqprov %s\" \"rmqprov\"\n\n# NAME\n\nrmqprov-%s - %s\n\n", p.name, a.Version, p.name, p.title)
		roff := md2man.Render(append([]byte(head), p.text...))
		if err := os.WriteFile(filepath.Join(formats, "rmqprov-"+p.name+".5"), roff, 0o644); err != nil {
			return err
		}
	}
	return nil
}
