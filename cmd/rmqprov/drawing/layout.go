package drawing

import (
	"cmp"
	"slices"
)

// A plan is laid out on a grid: a lane for each place (a host, a stack), from
// top to bottom a row after the rows of all that a step waits for. Between the
// rows and the lanes run channels, in which lines have tracks of their own, so
// that no line is drawn over a card or over another line.

// cell is a place in the grid.
type cell struct{ lane, row int }

// grid is where each step stands, and what its lines are.
type grid struct {
	cells  []cell // of each step
	after  [][]int
	lanes  int
	rows   int
	first  []int        // row of each lane's first step
	filled map[cell]int // step in a cell; heading where a lane's name stands
}

// heading marks the cell of a lane's name, above its first step.
const heading = -1

// place puts steps into the grid. after has, for each step, the steps before
// it that it waits for.
func place(lane []int, after [][]int) *grid {
	g := &grid{after: reduced(after), filled: map[cell]int{}}
	for i := range lane {
		row := 1 // above it, the lane's name
		for _, d := range after[i] {
			row = max(row, g.cells[d].row+1)
		}
		g.add(i, lane[i], row)
	}
	for l, row := range g.first {
		g.filled[cell{l, row - 1}] = heading
	}
	return g
}

// add puts a step into the first free cell of its lane from a row on.
func (g *grid) add(step, lane, row int) {
	for ; ; row++ {
		if _, taken := g.filled[cell{lane, row}]; !taken {
			break
		}
	}
	for len(g.first) <= lane {
		g.first = append(g.first, 0)
	}
	if g.first[lane] == 0 || row < g.first[lane] {
		g.first[lane] = row
	}
	c := cell{lane, row}
	g.cells, g.filled[c] = append(g.cells, c), step
	g.lanes, g.rows = max(g.lanes, lane+1), max(g.rows, row+1)
}

// reduced leaves out what a step waits for anyway, because of something else
// that it waits for.
func reduced(after [][]int) [][]int {
	reach := make([]bits, len(after))
	out := make([][]int, len(after))
	for i, deps := range after {
		reach[i] = make(bits, len(after)/64+1)
		deps = slices.Clone(deps)
		slices.SortFunc(deps, func(a, b int) int { return b - a }) // what stands later may have waited for what stands before
		for _, d := range deps {
			if !reach[i].has(d) {
				out[i] = append(out[i], d)
				reach[i].join(reach[d])
				reach[i].set(d)
			}
		}
		slices.Sort(out[i])
	}
	return out
}

type bits []uint64

func (b bits) has(i int) bool { return b[i/64]>>(i%64)&1 == 1 }
func (b bits) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b bits) join(other bits) {
	for i, word := range other {
		b[i] |= word
	}
}

// way is how a line gets from one step to another.
type way struct {
	from, to int
	straight bool // down within the lane
	channel  int  // index of the upright channel that it takes; -1: none
}

// free says that nothing stands in a lane between two rows.
func (g *grid) free(lane, above, below int) bool {
	for row := above + 1; row < below; row++ {
		if _, taken := g.filled[cell{lane, row}]; taken {
			return false
		}
	}
	return true
}

// ways finds a way for each line. Channel i runs left of lane i.
func (g *grid) ways() []way {
	var out []way
	for to, deps := range g.after {
		for _, from := range deps {
			a, b := g.cells[from], g.cells[to]
			w := way{from: from, to: to, channel: -1}
			open := g.free(b.lane, a.row, b.row)
			switch {
			case open && a.lane == b.lane:
				w.straight = true
			case !open && a.lane < b.lane:
				w.channel = b.lane
			case !open:
				w.channel = b.lane + 1
			}
			out = append(out, w)
		}
	}
	return out
}

// stretch is the part of a channel that the lines from one step take.
type stretch struct{ from, low, high int }

// channels hands out tracks: lines from the same step share one, others do not
// where they would meet.
type channels struct {
	stretches map[int][]stretch // by channel
	tracks    map[[2]int]int    // of a channel and a step
	count     map[int]int       // tracks in a channel
}

func newChannels() *channels {
	return &channels{stretches: map[int][]stretch{}, tracks: map[[2]int]int{}, count: map[int]int{}}
}

// need asks for a track for the lines from a step.
func (c *channels) need(channel, from, a, b int) {
	low, high := min(a, b), max(a, b)
	all := c.stretches[channel]
	if i := slices.IndexFunc(all, func(s stretch) bool { return s.from == from }); i >= 0 {
		all[i].low, all[i].high = min(all[i].low, low), max(all[i].high, high)
		return
	}
	c.stretches[channel] = append(all, stretch{from, low, high})
}

// assign gives each stretch the first track that is free along all of it.
func (c *channels) assign() {
	for channel, all := range c.stretches {
		slices.SortFunc(all, func(a, b stretch) int {
			return cmp.Or(a.low-b.low, a.high-b.high, a.from-b.from)
		})
		var ends []int
		for _, s := range all {
			i := slices.IndexFunc(ends, func(end int) bool { return end < s.low })
			if i < 0 {
				i, ends = len(ends), append(ends, 0)
			}
			ends[i] = s.high
			c.tracks[[2]int{channel, s.from}] = i
		}
		c.count[channel] = len(ends)
	}
}

func (c *channels) track(channel, from int) int { return c.tracks[[2]int{channel, from}] }
