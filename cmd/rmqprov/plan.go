package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

func planCommand(a *app) *cobra.Command {
	var s source
	var asJSON, detailed bool
	var out string
	c := &cobra.Command{
		Use:   "plan [FILE]",
		Short: "Say what apply would do, and why; change nothing",
		Long: `Looks at all hosts and the swarm, and prints what apply would change and what makes it necessary. Where
somebody else applied last, or another inventory, it says so.

--out keeps the plan in a file that only its owner can read and that holds no sensitive value. apply does
exactly that plan, and refuses where the inventory, a variable or the cluster has changed by then.`,
		Example: `  rmqprov plan
  rmqprov plan prod.hcl --detailed-exitcode   # 0 nothing to do, 2 changes, 1 error
  rmqprov plan prod.hcl --json | jq .summary
  rmqprov plan prod.hcl --out prod.plan && rmqprov apply prod.plan`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s.file = optionalFile(args)
			made, err := a.planFor(c.Context(), s)
			if err != nil {
				return err
			}
			if err := a.printPlan(made, asJSON); err != nil {
				return err
			}
			if out != "" {
				if err := a.save(out, s, made.from, made.Plan); err != nil {
					return err
				}
			}
			if detailed && !made.Empty() {
				return exit{status: statusChanges}
			}
			return nil
		},
	}
	s.flags(c)
	s.targetFlags(c)
	s.aroundFlag(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the plan as JSON")
	c.Flags().StringVarP(&out, "out", "o", "", "keep the plan in `FILE`, for apply")
	c.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 0 with nothing to do, 2 with changes, 1 with an error")
	return c
}

// madePlan is a plan with what its reader must know beside it.
type madePlan struct {
	*plan.Plan
	from origin
	last provision.LastApply
}

// planFor goes the whole way from the files to a plan.
func (a *app) planFor(ctx context.Context, s source) (madePlan, error) {
	want, from, err := a.loadFrom(s)
	if err != nil {
		return madePlan{}, err
	}
	seen, err := a.observe(ctx, want, 0)
	if err != nil {
		return madePlan{}, err
	}
	defer seen.Close()
	p, err := s.plan(seen.want, seen.got)
	return madePlan{p, from, seen.last()}, err
}

// last tells who changed the cluster last.
func (o *observed) last() provision.LastApply {
	return provision.LastApplied(o.got, o.want.Inventory.Cluster.Name)
}

func (a *app) printPlan(p madePlan, asJSON bool) error {
	if asJSON {
		return writePlanJSON(a.Stdout, p)
	}
	text, err := a.planText(p)
	if err != nil {
		return err
	}
	if a.colour(a.StdoutTerminal, a.noColour) {
		text = colourPlan(text)
	}
	_, err = io.WriteString(a.Stdout, text)
	return err
}

// planText is the plan for people, and below it who changed the cluster last
// where that is worth a word.
func (a *app) planText(p madePlan) (string, error) {
	var text strings.Builder
	if err := p.WriteText(&text); err != nil {
		return "", err
	}
	return text.String() + lastNote(p.Plan, p.last, a.operator(), p.from), nil
}

func writePlanJSON(w io.Writer, p madePlan) error {
	out := struct {
		plan.Document
		LastApply *provision.LastApply `json:"last_apply,omitempty"`
	}{Document: p.Document()}
	if p.last.Time != "" {
		out.LastApply = &p.last
	}
	return writeJSON(w, out)
}

// planColours are the colours of a plan's lines, by what they start with.
var planColours = []struct{ start, code string }{
	{"+ ", "32"}, {"~ ", "33"}, {"± ", "35"}, {"- ", "31"}, {"» ", "36"}, {"      ! ", "1;31"}, {"! ", "1;31"},
}

// colourPlan colours the sign at the start of each line, and the whole of a
// line that warns.
func colourPlan(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		for _, c := range planColours {
			rest, ok := strings.CutPrefix(line, c.start)
			switch {
			case ok && strings.Contains(c.start, "!"):
				lines[i] = "\x1b[" + c.code + "m" + line + "\x1b[0m"
			case ok:
				lines[i] = "\x1b[" + c.code + "m" + strings.TrimSpace(c.start) + "\x1b[0m " + rest
			}
		}
	}
	return strings.Join(lines, "\n")
}
