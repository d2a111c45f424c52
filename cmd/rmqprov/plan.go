package main

import (
	"bytes"
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/provision/plan"
)

func planCommand(a *app) *cobra.Command {
	var s source
	var asJSON, detailed bool
	c := &cobra.Command{
		Use:   "plan [FILE]",
		Short: "Say what apply would do, and why; change nothing",
		Long:  "Looks at all hosts and the swarm, and prints what apply would change and what makes it necessary.",
		Example: `  rmqprov plan
  rmqprov plan prod.hcl --detailed-exitcode   # 0 nothing to do, 2 changes, 1 error
  rmqprov plan prod.hcl --json | jq .summary`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s.file = optionalFile(args)
			p, err := a.makePlan(c.Context(), s)
			if err != nil {
				return err
			}
			if err := a.printPlan(p, asJSON); err != nil {
				return err
			}
			if detailed && !p.Empty() {
				return exit{status: statusChanges}
			}
			return nil
		},
	}
	s.flags(c)
	s.targetFlags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the plan as JSON")
	c.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 0 with nothing to do, 2 with changes, 1 with an error")
	return c
}

// makePlan goes the whole way from the files to a plan.
func (a *app) makePlan(ctx context.Context, s source) (*plan.Plan, error) {
	want, err := a.load(s)
	if err != nil {
		return nil, err
	}
	seen, err := a.observe(ctx, want, 0)
	if err != nil {
		return nil, err
	}
	defer seen.Close()
	return s.plan(seen.want, seen.got)
}

func (a *app) printPlan(p *plan.Plan, asJSON bool) error {
	if asJSON {
		return p.WriteJSON(a.Stdout)
	}
	if !a.colour(a.StdoutTerminal, a.noColour) {
		return p.WriteText(a.Stdout)
	}
	var text bytes.Buffer
	if err := p.WriteText(&text); err != nil {
		return err
	}
	_, err := io.WriteString(a.Stdout, colourPlan(text.String()))
	return err
}

// planColours are the colours of a plan's lines, by what they start with.
var planColours = []struct{ start, code string }{
	{"+ ", "32"}, {"~ ", "33"}, {"± ", "35"}, {"- ", "31"}, {"» ", "36"}, {"      ! ", "1;31"},
}

// colourPlan colours the sign at the start of each line, and the whole of a
// line that tells of a disruption.
func colourPlan(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		for _, c := range planColours {
			rest, ok := strings.CutPrefix(line, c.start)
			switch {
			case ok && strings.HasPrefix(c.start, " "):
				lines[i] = "\x1b[" + c.code + "m" + line + "\x1b[0m"
			case ok:
				lines[i] = "\x1b[" + c.code + "m" + strings.TrimSpace(c.start) + "\x1b[0m " + rest
			}
		}
	}
	return strings.Join(lines, "\n")
}
