package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/provision"
)

// watchPause is the time between two looks of status --watch.
const watchPause = 2 * time.Second

func statusCommand(a *app) *cobra.Command {
	var s source
	var asJSON, watch bool
	c := &cobra.Command{
		Use:   "status [FILE]",
		Short: "Show hosts, swarm, stacks, gates, and what has drifted",
		Long: `Looks once, or again and again with --watch. Exit 0 only when all is healthy.

With --watch on a terminal, the arrows scroll and q leaves; the last look stays on the screen and decides the
exit status.`,
		Example: `  rmqprov status
  rmqprov status prod.hcl --watch
  rmqprov status prod.hcl --json | jq .drift`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s.file = optionalFile(args)
			return a.statusOf(c.Context(), s, asJSON, watch)
		},
	}
	s.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON; with --watch, a line a look")
	c.Flags().BoolVarP(&watch, "watch", "w", false, "look again until interrupted")
	return c
}

func (a *app) statusOf(ctx context.Context, s source, asJSON, watch bool) error {
	want, err := a.load(s)
	if err != nil {
		return err
	}
	seen, err := a.observe(ctx, want, 0)
	if err != nil {
		return err
	}
	defer seen.Close()
	if !watch {
		st := seen.Status(ctx, seen.want, seen.got)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := a.printStatus(st, asJSON, false); err != nil {
			return err
		}
		return unlessHealthy(st)
	}
	if t, ok := a.terminal(a.Stdout, a.StdoutTerminal); ok && !asJSON {
		return a.watch(ctx, seen, t)
	}
	_, err = a.lookAgain(ctx, seen, func(st provision.Status) error { return a.printStatus(st, asJSON, true) })
	return err
}

func unlessHealthy(st provision.Status) error {
	if st.Healthy {
		return nil
	}
	return exit{status: statusFailed}
}

// printStatus prints one look.
func (a *app) printStatus(st provision.Status, asJSON, watch bool) error {
	switch {
	case asJSON && watch:
		return json.NewEncoder(a.Stdout).Encode(st)
	case asJSON:
		return writeJSON(a.Stdout, st)
	}
	return writeStatus(a.Stdout, st)
}

func writeStatus(w io.Writer, st provision.Status) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	verdict := "Healthy."
	if !st.Healthy {
		verdict = "NOT healthy."
	}
	fmt.Fprintf(t, "%s\n\nHOST\tADDRESS\tSYSTEM\tDOCKER\tSWARM\tSLOTS\n", verdict)
	for _, h := range st.Hosts {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", h.Name, h.Address, or(h.OS), or(h.Docker), swarmRole(h.Swarm), or(strings.Join(h.Slots, " ")))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, h := range st.Hosts {
		if h.Error != "" {
			fmt.Fprintf(w, "  %s: %s\n", h.Name, indented(h.Error, "    "))
		}
	}
	fmt.Fprint(t, "\nSTACK\tSERVICE OR GATE\tSTATE\t\n")
	for _, stack := range st.Stacks {
		writeStack(t, stack)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	writeDrift(w, st)
	return nil
}

func writeStack(w io.Writer, stack provision.StackStatus) {
	for _, s := range stack.Services {
		fmt.Fprintf(w, "%s\t%s\t%d of %d running\t%s\n", stack.Name, s.Name, s.Running, s.Desired, s.Image)
	}
	for _, g := range stack.Gates {
		verdict := "holds"
		if !g.OK {
			verdict = "FAILS"
		}
		fmt.Fprintf(w, "%s\tgate %s\t%s\t%s\n", stack.Name, g.Name, verdict, indented(g.Detail, "    "))
	}
}

func writeDrift(w io.Writer, st provision.Status) {
	if len(st.Drift) == 0 {
		fmt.Fprint(w, "\nNothing has drifted: apply would change nothing.\n")
	} else {
		fmt.Fprintf(w, "\nDrifted; apply would do %s:\n", count(len(st.Drift), "thing", "things"))
		for _, d := range st.Drift {
			fmt.Fprintf(w, "  %s\n", indented(d, "    "))
		}
	}
	if l := st.LastApply; l.Time != "" {
		fmt.Fprintf(w, "%s.\n", lastLine(l))
	} else {
		fmt.Fprint(w, "Never applied.\n")
	}
}

func swarmRole(s provision.SwarmStatus) string {
	role := strings.TrimSpace(s.Role + " " + s.State)
	if s.Leader {
		role += ", leader"
	}
	return role
}

// or shows that there is nothing.
func or(text string) string { return cmp.Or(text, "-") }

// indented sets the further lines of a text in.
func indented(text, by string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by)
}
