package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

func historyCommand(a *app) *cobra.Command {
	var s source
	var asJSON bool
	var last int
	c := &cobra.Command{
		Use:   "history [FILE]",
		Short: "Show who changed the cluster, when, and how that ended",
		Long: `Reads the record of every apply, replace and destroy that changed something, or meant to, from all
managers, and prints each run once, the newest last. A run that was killed has begun and not ended.`,
		Example: `  rmqprov history
  rmqprov history prod.hcl -n 5
  rmqprov history prod.hcl --json | jq '.runs[] | select(.outcome != "done")'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s.file = optionalFile(args)
			return a.history(c.Context(), s, last, asJSON)
		},
	}
	s.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, with all steps")
	c.Flags().IntVarP(&last, "last", "n", 20, "how many runs to show, the newest; 0 shows all")
	return c
}

func (a *app) history(ctx context.Context, s source, last int, asJSON bool) error {
	if last < 0 {
		return fmt.Errorf("-n is a number of runs, not %d", last)
	}
	want, err := a.load(s)
	if err != nil {
		return err
	}
	session, err := a.open(ctx, want, 0)
	if err != nil {
		return err
	}
	defer session.Close()
	h := session.History(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if last > 0 {
		h.Runs = h.Runs[max(0, len(h.Runs)-last):]
	}
	if err := a.printHistory(h, asJSON); err != nil {
		return err
	}
	return a.historyGaps(h, len(session.want.Inventory.Managers()))
}

// historyGaps says which managers could not be asked. As long as one could,
// the history is told.
func (a *app) historyGaps(h provision.History, managers int) error {
	var errs []error
	for _, u := range h.Unread {
		errs = append(errs, fmt.Errorf("the history that %s keeps could not be read: %w", u.Host, u.Err))
	}
	if len(errs) == managers {
		return errors.Join(errs...)
	}
	for _, err := range errs {
		fmt.Fprintf(a.Stderr, "rmqprov: warning: %v\n", err)
	}
	return nil
}

func (a *app) printHistory(h provision.History, asJSON bool) error {
	if asJSON {
		return writeJSON(a.Stdout, struct {
			Runs []provision.Run `json:"runs"`
		}{append([]provision.Run{}, h.Runs...)})
	}
	for _, run := range h.Runs {
		if err := writeRun(a.Stdout, run); err != nil {
			return err
		}
	}
	if len(h.Runs) == 0 && len(h.Unread) == 0 {
		fmt.Fprintln(a.Stdout, "No run is recorded.")
	}
	return nil
}

// runVerb is what was run, and whether it was let go on without a majority.
func runVerb(run provision.Run) string {
	if run.Forced {
		return run.Verb + " --force-quorum-loss"
	}
	return run.Verb
}

// shownSteps bounds the steps of one run that are printed for people.
const shownSteps = 8

// writeRun prints a run, and below it what it changed. Checks and notes are
// left out, except those that failed.
func writeRun(w io.Writer, run provision.Run) error {
	_, err := fmt.Fprintf(w, "%s  %s by %s with rmqprov %s: %s\n  %s\n", run.Began.Format(time.RFC3339), runVerb(run), run.By, run.Version, runEnd(run), run.From)
	shown, more := 0, run.LeftOut
	for _, s := range run.Steps {
		if s.Action == plan.Run && s.Outcome != provision.Failed {
			continue
		}
		if shown == shownSteps && s.Outcome != provision.Failed {
			more++
			continue
		}
		shown = min(shown+1, shownSteps)
		fmt.Fprintf(w, "    %s\n", stepLine(s))
	}
	if more > 0 {
		fmt.Fprintf(w, "    … and %d more\n", more)
	}
	return err
}

func stepLine(s provision.StepRecord) string {
	line := fmt.Sprintf("%s %s: %s", s.Action, s.ID, s.Summary)
	switch s.Outcome {
	case provision.Failed:
		line += ": FAILED: " + s.Error
	case provision.Skipped:
		line += " (not done)"
	}
	return line
}

// runEnd says how a run ended.
func runEnd(run provision.Run) string {
	if run.Outcome == provision.RunBegun {
		return fmt.Sprintf("begun and not ended: killed, or at work; %s planned", count(run.Counts[provision.Planned], "step was", "steps were"))
	}
	return fmt.Sprintf("%s after %s, %d done, %d failed, %d not done", run.Outcome, seconds(time.Duration(run.TookMS)*time.Millisecond),
		run.Counts[provision.Done], run.Counts[provision.Failed], run.Counts[provision.Skipped])
}
