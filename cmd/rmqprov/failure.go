package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

const (
	shownLines   = 15 // of what came back from a failing step
	shownSkipped = 8  // steps that one failure kept from being done
)

// explainFailure says what was being done, where, what came back, what is
// unharmed, and what to do now: again is the command that goes on.
func explainFailure(r result, again string) string {
	var b strings.Builder
	failed := r.Failed()
	for _, o := range failed {
		writeFailed(&b, o)
	}
	fmt.Fprintf(&b, "\nDone and staying as it is: %s of %d.\n", count(len(r.Outcomes)-len(failed)-len(r.Skipped()), "step", "steps"), len(r.Outcomes))
	writeSkipped(&b, r.Skipped())
	b.WriteString("\nWhat to do now:\n")
	if rolls(r) && !strings.HasSuffix(again, " --rollback") {
		fmt.Fprintf(&b, "  To go back to what ran before the change: `%s --rollback`. Members that it has not reached run as before.\n", again)
	}
	if len(failed) > 0 {
		fmt.Fprintf(&b, "  Mend what is said above, then run `%s` again: it does only what is left.\n", again)
	} else {
		fmt.Fprintf(&b, "  `%s` goes on from here: it does only what is left.\n", again)
	}
	return b.String()
}

// rolls says that a service that ran was being changed when the run failed.
func rolls(r result) bool {
	return len(r.Failed()) > 0 && slices.ContainsFunc(r.Outcomes, func(o provision.Outcome) bool {
		_, changes := o.Step.Action.(plan.UpdateService)
		return changes && o.Kind != provision.Skipped && o.Step.Disrupts != ""
	})
}

func writeFailed(b *strings.Builder, o provision.Outcome) {
	where := "on the swarm"
	if o.Step.Host != "" {
		where = "on " + o.Step.Host
	}
	fmt.Fprintf(b, "\nFailed after %s %s: %s\n  step       %s (needed because: %s)\n", seconds(o.Took), where, o.Step.Summary, o.Step.ID, o.Step.Why)
	for i, line := range lastLines(o.Err.Error(), shownLines) {
		label := "           "
		if i == 0 {
			label = "came back  "
		}
		fmt.Fprintf(b, "  %s%s\n", label, line)
	}
}

// lastLines returns the end of a text.
func lastLines(text string, n int) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) <= n {
		return lines
	}
	return append([]string{fmt.Sprintf("(%d lines before)", len(lines)-n)}, lines[len(lines)-n:]...)
}

// stopped says what stopped a run: the operator, or a reason of its own, which
// more than one of the steps may name.
func stopped(skipped []provision.Outcome) string {
	for _, o := range skipped {
		if o.Err != nil {
			return o.Err.Error()
		}
	}
	return "the run was stopped"
}

// writeSkipped lists what was not begun, by what kept it from being done.
func writeSkipped(b *strings.Builder, skipped []provision.Outcome) {
	var causes []plan.ID
	by := map[plan.ID][]provision.Outcome{}
	for _, o := range skipped {
		if !slices.Contains(causes, o.Because) {
			causes = append(causes, o.Because)
		}
		by[o.Because] = append(by[o.Because], o)
	}
	for _, cause := range causes {
		why := "because " + string(cause) + " failed"
		if cause == "" {
			why = "because " + stopped(by[cause])
		}
		fmt.Fprintf(b, "\nNot begun, %s: %s.\n", why, count(len(by[cause]), "step", "steps"))
		for i, o := range by[cause] {
			if i == shownSkipped {
				fmt.Fprintf(b, "  … and %d more\n", len(by[cause])-i)
				break
			}
			fmt.Fprintf(b, "  %s: %s\n", o.Step.ID, o.Step.Summary)
		}
	}
}
