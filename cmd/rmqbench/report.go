package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// row is a line of the report: a figure, and what it is to be.
type row struct {
	name  string
	mine  series
	floor series // nil: there is none
	ratio float64
	limit time.Duration // where there is no floor
}

// met reports whether the row's figure is what it is to be.
func (r row) met() bool {
	if r.floor == nil {
		return r.mine.median() < r.limit
	}
	return r.against() <= r.ratio
}

func (r row) against() float64 { return r.mine.median().Seconds() / r.floor.median().Seconds() }

func (r row) cells() string {
	if r.floor == nil {
		return fmt.Sprintf("%s\t%s\t\t\t< %s", r.name, r.mine, seconds(r.limit))
	}
	return fmt.Sprintf("%s\t%s\t%s\t%.2f\t≤ %.2f", r.name, r.mine, r.floor, r.against(), r.ratio)
}

// report prints the table, and returns an error when a figure is missed.
func report(out io.Writer, rows []row, logins int) error {
	fmt.Fprintln(out, "\nmedians, with the least and the most of the runs")
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "\trmqprov\tfloor\tratio\tgoal\t")
	missed := 0
	line := func(cells string, met bool) {
		verdict := "met"
		if !met {
			verdict = "missed"
			missed++
		}
		fmt.Fprintf(table, "%s\t%s\n", cells, verdict)
	}
	for _, r := range rows {
		line(r.cells(), r.met())
	}
	line(fmt.Sprintf("SSH connections a host\t%d\t\t\t1", logins), logins == 1)
	if err := table.Flush(); err != nil {
		return err
	}
	if missed > 0 {
		return errors.New("a goal is missed")
	}
	return nil
}
