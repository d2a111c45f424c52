package report

import (
	"slices"
	"strings"
	"time"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// chart is the timeline: a lane for each place, in it a bar for each step, on
// as many rows as steps were at work there at once.
type chart struct {
	Width, Height int
	Lanes         []lane
	Ticks         []tick
	Path          string // the line along the critical path
}

type lane struct {
	Name           string
	Top, High, Mid int // pixels
	Shade          bool
	Bars           []bar
}

// bar is one step in the chart.
type bar struct {
	Step
	N                  int // index of the step
	X, Y, Wide         int
	After              []int // steps that it waited for
	By                 int   // that of them which ended last; -1: none
	Critical, Labelled bool
}

type tick struct {
	X    int
	Text string
}

const (
	labelWide = 150 // pixels for the names of lanes
	timeWide  = 1010
	rowHigh   = 22
	barHigh   = 17
	laneGap   = 8
	axisHigh  = 26
	leastBar  = 3
	labelFrom = 34 // pixels that a bar must have to be labelled
)

// draw lays the steps out along time.
func draw(steps []Step, critical []int) chart {
	end := time.Second
	for _, s := range steps {
		end = max(end, s.Ended)
	}
	c := chart{Width: labelWide + timeWide + 20, Ticks: ticks(end)}
	x := func(d time.Duration) int { return labelWide + int(int64(timeWide)*int64(d)/int64(end)) }
	index := map[plan.ID]int{}
	for i, s := range steps {
		index[s.ID] = i
	}
	y := axisHigh
	for i, name := range places(steps) {
		l := lane{Name: name, Top: y, Shade: i%2 == 0}
		rows := 0
		for _, n := range of(steps, name) {
			b := bar{Step: steps[n], N: n, X: x(steps[n].Began), By: lastBefore(steps, index, n), Critical: slices.Contains(critical, n)}
			b.Wide = max(leastBar, x(steps[n].Ended)-b.X)
			b.Labelled = b.Wide >= labelFrom
			for _, id := range steps[n].After {
				b.After = append(b.After, index[id])
			}
			row := freeRow(l.Bars, b, y)
			rows = max(rows, row+1)
			b.Y = y + laneGap/2 + row*rowHigh + (rowHigh-barHigh)/2
			l.Bars = append(l.Bars, b)
		}
		l.High = rows*rowHigh + laneGap
		l.Mid = l.Top + l.High/2 + 4
		y += l.High
		c.Lanes = append(c.Lanes, l)
	}
	c.Height = y + 8
	c.Path = pathAlong(c.Lanes, critical)
	return c
}

// places lists the hosts, the swarm and the stacks at which something was
// done, each in the order of the plan.
func places(steps []Step) []string {
	var groups [3][]string
	for _, s := range steps {
		name, g := s.Place(), 1
		switch {
		case !s.Ran():
			continue
		case s.Host != "":
			g = 0
		case strings.HasPrefix(name, "stack "):
			g = 2
		}
		if !slices.Contains(groups[g], name) {
			groups[g] = append(groups[g], name)
		}
	}
	return slices.Concat(groups[0], groups[1], groups[2])
}

// of lists the steps that ran at a place, in the order in which they began.
func of(steps []Step, place string) []int {
	var all []int
	for i, s := range steps {
		if s.Ran() && s.Place() == place {
			all = append(all, i)
		}
	}
	slices.SortStableFunc(all, func(a, b int) int { return int(steps[a].Began - steps[b].Began) })
	return all
}

// freeRow is the first row of a lane on which a bar meets no other.
func freeRow(others []bar, b bar, top int) int {
	for row := 0; ; row++ {
		y := top + laneGap/2 + row*rowHigh + (rowHigh-barHigh)/2
		if !slices.ContainsFunc(others, func(o bar) bool { return o.Y == y && o.X+o.Wide > b.X && b.X+b.Wide > o.X }) {
			return row
		}
	}
}

// ticks divides the time into steps that people count in.
func ticks(end time.Duration) []tick {
	every := time.Hour
	for _, d := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
		10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute} {
		if end/d <= 12 {
			every = d
			break
		}
	}
	var all []tick
	for at := time.Duration(0); at <= end; at += every {
		all = append(all, tick{labelWide + int(int64(timeWide)*int64(at)/int64(end)), at.String()})
	}
	return all
}

// lastBefore is what a step waited for to the end: of the steps before it, the
// one that ended last; -1: it waited for none.
func lastBefore(steps []Step, index map[plan.ID]int, n int) int {
	last := -1
	for _, id := range steps[n].After {
		if i, ok := index[id]; ok && steps[i].Ran() && (last < 0 || steps[i].Ended > steps[last].Ended) {
			last = i
		}
	}
	return last
}

// criticalPath lists the steps that made the run as long as it was, in the
// order of time: from the step that ended last, each time the one that it
// waited for to the end.
func criticalPath(steps []Step) []int {
	index, last := map[plan.ID]int{}, -1
	for i, s := range steps {
		index[s.ID] = i
		if s.Ran() && s.Kind != provision.Started && (last < 0 || s.Ended > steps[last].Ended) {
			last = i
		}
	}
	var path []int
	for n := last; n >= 0; n = lastBefore(steps, index, n) {
		path = append(path, n)
	}
	slices.Reverse(path)
	return path
}
