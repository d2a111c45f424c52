package main

import (
	"bytes"
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
		Long:  "Looks once, or again and again with --watch. Exit 0 only when all is healthy.",
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
	for {
		st := seen.Status(ctx, seen.want, seen.got)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := a.printStatus(st, asJSON, watch); err != nil {
			return err
		}
		if !watch {
			return unlessHealthy(st)
		}
		select {
		case <-time.After(watchPause):
		case <-ctx.Done():
			return ctx.Err()
		}
		if seen.got, err = seen.Observe(ctx, seen.want); err != nil {
			return err
		}
	}
}

func unlessHealthy(st provision.Status) error {
	if st.Healthy {
		return nil
	}
	return exit{status: statusFailed}
}

// printStatus shows one look. A look that is watched takes the place of the
// one before in one write, so that nothing flickers.
func (a *app) printStatus(st provision.Status, asJSON, watch bool) error {
	if asJSON && watch {
		return json.NewEncoder(a.Stdout).Encode(st)
	}
	if asJSON {
		return writeJSON(a.Stdout, st)
	}
	var text bytes.Buffer
	if err := writeStatus(&text, st); err != nil {
		return err
	}
	screen := text.String()
	if watch && a.colour(a.StdoutTerminal, a.noColour) {
		screen = "\x1b[H" + strings.ReplaceAll(screen, "\n", "\x1b[K\n") + "\x1b[J"
	}
	_, err := io.WriteString(a.Stdout, screen)
	return err
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
