package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/provision/plan"
)

func graphCommand(a *app) *cobra.Command {
	var s source
	var form string
	c := &cobra.Command{
		Use:   "graph [FILE]",
		Short: "Print the plan's graph: what waits for what",
		Long:  "Makes a plan as `plan` does, and prints its steps and what each waits for.",
		Example: `  rmqprov graph | dot -Tsvg > plan.svg
  rmqprov graph prod.hcl --format mermaid`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s.file = optionalFile(args)
			return a.graph(c.Context(), s, form)
		},
	}
	s.flags(c)
	c.Flags().StringVar(&form, "format", "dot", "dot or mermaid")
	return c
}

func (a *app) graph(ctx context.Context, s source, form string) error {
	write := map[string]func(io.Writer, *plan.Plan) error{"dot": writeDot, "mermaid": writeMermaid}[form]
	if write == nil {
		return fmt.Errorf("--format is dot or mermaid, not %q", form)
	}
	p, err := a.makePlan(ctx, s)
	if err != nil {
		return err
	}
	return write(a.Stdout, p)
}

func writeDot(w io.Writer, p *plan.Plan) error {
	var b strings.Builder
	b.WriteString("digraph plan {\n  rankdir=LR;\n  node [shape=box];\n")
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "  %s [label=%s];\n", dotQuote(string(s.ID)), dotQuote(string(s.ID)+"\n"+s.Summary))
		for _, id := range s.After {
			fmt.Fprintf(&b, "  %s -> %s;\n", dotQuote(string(id)), dotQuote(string(s.ID)))
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func dotQuote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}

// writeMermaid numbers the nodes: Mermaid's own ids take few characters.
func writeMermaid(w io.Writer, p *plan.Plan) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	number := map[plan.ID]int{}
	for i, s := range p.Steps {
		number[s.ID] = i
		fmt.Fprintf(&b, "  s%d[\"%s<br/>%s\"]\n", i, mermaidText(string(s.ID)), mermaidText(s.Summary))
		for _, id := range s.After {
			fmt.Fprintf(&b, "  s%d --> s%d\n", number[id], i)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func mermaidText(text string) string {
	return strings.NewReplacer(`&`, "&amp;", `"`, "&quot;", "<", "&lt;", ">", "&gt;").Replace(text)
}
