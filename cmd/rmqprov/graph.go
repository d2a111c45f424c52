package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/drawing"
	"github.com/rmqprov/rmqprov/provision/plan"
)

func graphCommand(a *app) *cobra.Command {
	var s source
	var form, of string
	c := &cobra.Command{
		Use:   "graph [FILE]",
		Short: "Draw the plan: what waits for what; or the cluster",
		Long: `Makes a plan as plan does, and draws its steps and what each waits for. With --of cluster it draws the
cluster instead: hosts by zone, the members and services on each, the stacks, and the ports with who may reach
them; what is wanted and does not run is dashed.

svg is a picture that needs no other program, for light and dark backgrounds. dot is for Graphviz, mermaid for
Markdown.`,
		Example: `  rmqprov graph --format svg > plan.svg
  rmqprov graph prod.hcl --of cluster --format svg > cluster.svg
  rmqprov graph prod.hcl --format mermaid`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s.file = optionalFile(args)
			return a.graph(c.Context(), s, form, of)
		},
	}
	s.flags(c)
	c.Flags().StringVar(&form, "format", "dot", "dot, mermaid or svg")
	c.Flags().StringVar(&of, "of", "plan", "what is drawn: plan or cluster")
	return c
}

// graphs are the ways to draw a plan or a cluster.
var graphs = map[string]struct {
	plan    func(io.Writer, *plan.Plan) error
	cluster func(io.Writer, drawing.Cluster) error
}{
	"dot":     {writeDot, writeClusterDot},
	"mermaid": {writeMermaid, writeClusterMermaid},
	"svg":     {writeSVG, func(w io.Writer, c drawing.Cluster) error { return c.Draw(w) }},
}

func (a *app) graph(ctx context.Context, s source, form, of string) error {
	write, known := graphs[form]
	if !known {
		return fmt.Errorf("--format is dot, mermaid or svg, not %q", form)
	}
	if of != "plan" && of != "cluster" {
		return fmt.Errorf("--of is plan or cluster, not %q", of)
	}
	want, err := a.load(s)
	if err != nil {
		return err
	}
	seen, err := a.observe(ctx, want, 0)
	if err != nil {
		return err
	}
	defer seen.Close()
	p, err := s.plan(seen.want, seen.got)
	if err != nil {
		return err
	}
	if of == "plan" {
		return write.plan(a.Stdout, p)
	}
	return write.cluster(a.Stdout, clusterOf(seen.want, seen.got, p))
}

func writeSVG(w io.Writer, p *plan.Plan) error { return drawing.Plan(w, p, "What apply would do") }

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
