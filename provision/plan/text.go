package plan

import (
	"fmt"
	"io"
	"strings"
)

// Symbols of the kinds in the text form, as Terraform's users know them.
var symbols = map[Kind]string{Create: "+", Update: "~", Replace: "±", Delete: "-", Run: "»"}

// WriteText prints the plan for people: a line a step with its reason, below
// it what changes, and what it waits for where that is not the line above.
func (p *Plan) WriteText(w io.Writer) error {
	width := 0
	for _, s := range p.Steps {
		width = max(width, len(s.ID))
	}
	for _, s := range p.Steps {
		if _, err := fmt.Fprintf(w, "%s %-*s  %s  (%s)\n", symbols[s.Kind], min(width, 44), s.ID, s.Summary, s.Why); err != nil {
			return err
		}
		for _, c := range s.Changes {
			fmt.Fprintf(w, "      %s: %s → %s\n", c.Path, compact(c.Before), compact(c.After))
		}
		if s.Disrupts != "" {
			fmt.Fprintf(w, "      ! %s\n", s.Disrupts)
		}
		if s.Guard != nil {
			fmt.Fprintf(w, "      %s\n", s.Guard)
		}
	}
	p.writeLeftOut(w)
	for _, n := range p.Notes {
		fmt.Fprintln(w, "Note: "+n+".")
	}
	end := p.Summary().String()
	if p.Empty() && len(p.LeftOut) > 0 {
		end = "Nothing to do on the hosts that can be reached."
	}
	_, err := fmt.Fprintln(w, end)
	return err
}

// writeLeftOut says what is not done and why. What only waits for something
// else that is left out is counted.
func (p *Plan) writeLeftOut(w io.Writer) {
	if len(p.LeftOut) == 0 {
		return
	}
	fmt.Fprintln(w, "Left out:")
	waiting := 0
	for _, l := range p.LeftOut {
		if l.Waits {
			waiting++
			continue
		}
		fmt.Fprintf(w, "  %s  %s  (%s)\n", l.ID, l.Summary, l.Why)
	}
	if waiting > 0 {
		fmt.Fprintf(w, "  and %d more that wait for these, or are of the same stack\n", waiting)
	}
}

// Graph prints each step with what it waits for, for tests and for reading.
func (p *Plan) Graph() string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s", s.ID)
		for i, id := range s.After {
			sep := ", "
			if i == 0 {
				sep = " ← "
			}
			b.WriteString(sep + string(id))
		}
		fmt.Fprintf(&b, " : %s\n", s.Why)
	}
	return b.String()
}

// Counts are the steps of each kind. Runs change nothing and do not count as
// changes, but they are there to be done.
type Counts struct {
	Create  int `json:"create"`
	Update  int `json:"update"`
	Replace int `json:"replace"`
	Delete  int `json:"delete"`
	Run     int `json:"-"`
}

// Summary counts the steps.
func (p *Plan) Summary() Counts {
	var c Counts
	for _, s := range p.Steps {
		switch s.Kind {
		case Create:
			c.Create++
		case Update:
			c.Update++
		case Replace:
			c.Replace++
		case Delete:
			c.Delete++
		case Run:
			c.Run++
		}
	}
	return c
}

func (c Counts) String() string {
	if c == (Counts{}) {
		return "Nothing to do: all is as the inventory says."
	}
	return fmt.Sprintf("Plan: %d to create, %d to update, %d to replace, %d to delete, %d checks and notes.",
		c.Create, c.Update, c.Replace, c.Delete, c.Run)
}
