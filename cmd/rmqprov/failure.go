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
// unharmed, and what to do now.
func explainFailure(r result, file string) string {
	var b strings.Builder
	failed := r.Failed()
	for _, o := range failed {
		writeFailed(&b, o)
	}
	fmt.Fprintf(&b, "\nDone and staying as it is: %s of %d.\n", count(len(r.Outcomes)-len(failed)-len(r.Skipped()), "step", "steps"), len(r.Outcomes))
	writeSkipped(&b, r.Skipped())
	b.WriteString("\nWhat to do now:\n")
	if len(failed) > 0 {
		fmt.Fprintf(&b, "  Mend what is said above, then run `rmqprov apply %s` again: it does only what is left.\n", file)
	} else {
		fmt.Fprintf(&b, "  `rmqprov apply %s` goes on from here: it does only what is left.\n", file)
	}
	return b.String()
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
			why = "because the run was stopped"
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
