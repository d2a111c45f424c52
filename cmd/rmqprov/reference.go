package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
)

// The reference is written by the program itself: what it says is what the
// program takes. docs/reference and the man pages are made of it.

// page is one page of the reference.
type page struct {
	name, title string
	see         string // where more is told, for docs/reference
	text        []byte // Markdown, without a title
}

func reference(root *cobra.Command) []page {
	return []page{
		{"commands", "Commands", "How they go together is told [for operators](../operators.md).", commandsPage(root)},
		{"inventory", "The inventory: blocks and arguments", "What they are for is told in [the inventory](../inventory.md).", inventoryPage()},
		{"playbook", "playbook.hcl: blocks and arguments", "What they are for is told in [playbooks](../../playbooks/README.md).", playbookPage()},
		{"playbooks", "The playbooks that rmqprov carries, and their inputs", "`rmqprov playbook show NAME` prints the same.", embeddedPage()},
	}
}

// markdown is the page as docs/reference has it.
func (p page) markdown() []byte {
	return fmt.Appendf(nil, "<!-- Made from the code by `make reference`. -->\n\n# %s\n\n%s\n\n%s", p.title, p.see, p.text)
}

// commandsPage describes all verbs and the exit statuses.
func commandsPage(root *cobra.Command) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n", root.Long)
	b.WriteString("## Exit statuses\n\n| status | means |\n|---|---|\n")
	for _, s := range statuses {
		fmt.Fprintf(&b, "| %d | %s |\n", s.status, s.means)
	}
	writeFlags(&b, "\n## Flags of every command\n", root.PersistentFlags())
	for _, c := range visible(root) {
		writeCommand(&b, c)
	}
	return b.Bytes()
}

// visible lists the commands below one, those of the same parent together.
func visible(c *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			all = append(append(all, sub), visible(sub)...)
		}
	}
	return all
}

func writeCommand(b *bytes.Buffer, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n```text\n%s\n```\n", c.CommandPath(), c.Short, c.UseLine())
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", c.Long)
	}
	writeFlags(b, "", c.NonInheritedFlags())
	if c.Example != "" {
		fmt.Fprintf(b, "\n```\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
}

func writeFlags(b *bytes.Buffer, heading string, flags *pflag.FlagSet) {
	var rows strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		placeholder, usage := pflag.UnquoteUsage(f)
		name := strings.TrimSpace("--" + f.Name + " " + placeholder)
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if f.DefValue != "" && f.DefValue != "[]" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			usage += " (" + f.DefValue + ")"
		}
		fmt.Fprintf(&rows, "| `%s` | %s |\n", name, cell(usage))
	})
	if rows.Len() > 0 {
		fmt.Fprintf(b, "%s\n| flag | does |\n|---|---|\n%s", heading, &rows)
	}
}

// cell is a text in a table of Markdown.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
}

func inventoryPage() []byte {
	var b bytes.Buffer
	writeBlocks(&b, "##", inventory.Reference())
	b.WriteString("## Functions\n\n")
	var names []string
	for _, name := range slices.Sorted(maps.Keys(inventory.Functions("", func(string) (string, bool) { return "", false }))) {
		names = append(names, "`"+name+"`")
	}
	fmt.Fprintf(&b, "They have Terraform's meanings: %s.\n", strings.Join(names, ", "))
	return b.Bytes()
}

func playbookPage() []byte {
	var b bytes.Buffer
	b.WriteString("All stand within `playbook \"NAME\" { … }`.\n\n")
	writeBlocks(&b, "##", playbooks.Reference())
	return b.Bytes()
}

func writeBlocks(b *bytes.Buffer, heading string, blocks []inventory.BlockDoc) {
	for _, d := range blocks {
		fmt.Fprintf(b, "%s %s\n\n```hcl\n%s\n```\n\n%s", heading, d.Name, d.Form, d.Note)
		if d.Single {
			b.WriteString(" At most one.")
		}
		b.WriteString("\n\n")
		if len(d.Args) > 0 {
			b.WriteString("| argument | type | default | is |\n|---|---|---|---|\n")
		}
		for _, a := range d.Args {
			fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", a.Name, a.Type, a.Default, cell(a.Note))
		}
		if len(d.Args) > 0 {
			b.WriteString("\n")
		}
		writeBlocks(b, heading+"#", d.Blocks)
	}
}

// embeddedPage describes the inputs of the playbooks in the binary.
func embeddedPage() []byte {
	var b bytes.Buffer
	for i, p := range playbooks.List() {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "## %s\n\n%s\n\n| input | type | default | is |\n|---|---|---|---|\n", p.Name, p.Description)
		for _, in := range p.Inputs {
			value, note := "`"+cell(in.Default)+"`", cell(in.Description)
			if in.Required {
				value = "required"
			}
			if in.Sensitive {
				note = "(sensitive) " + note
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", in.Name, cell(in.Type), value, note)
		}
	}
	return b.Bytes()
}
