package drawing

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// Sizes in pixels.
const (
	margin   = 28
	headRoom = 86 // for the title
	nameHigh = 34 // of a lane's name
	cardWide = 240
	cardHigh = 60
	trackGap = 6
	minGap   = 22 // of a channel without lines
	port     = 18 // from a card's middle to where lines leave and arrive
	turn     = 4  // radius of corners
)

// sheet is the picture of a plan.
type sheet struct {
	canvas
	plan   *plan.Plan
	names  []string          // of the lanes
	called map[string]string // lanes that stand for several hosts
	grid   *grid
	ways   []way
	across *channels // by the row above them
	down   *channels // by the lane right of them
	x, y   []int     // left edge of each lane, upper edge of each row
}

// Plan draws a plan as SVG: a lane for each host and stack, a card for each
// step, and a line from each step to those that wait for it. Lines that follow
// from others are left out. Of many hosts, those with the same steps share a
// lane.
func Plan(w io.Writer, p *plan.Plan, title string) error {
	few, called := folded(p)
	s := &sheet{plan: few, called: called, across: newChannels(), down: newChannels()}
	s.layOut()
	s.text(margin, margin+14, "title", cut(title, 40))
	s.legend(p)
	s.drawLanes()
	for _, way := range s.ways {
		s.drawWay(way)
	}
	for i := range few.Steps {
		s.drawCard(i)
	}
	return s.write(w, title, max(720, s.right()+margin), s.bottom()+margin)
}

// layOut puts the steps into the grid, finds ways for the lines, and gives
// lanes and rows their places.
func (s *sheet) layOut() {
	index, lanes := map[plan.ID]int{}, []int{}
	after := make([][]int, len(s.plan.Steps))
	s.names = lanesOf(s.plan)
	for i, step := range s.plan.Steps {
		index[step.ID] = i
		lanes = append(lanes, slices.Index(s.names, laneOf(step)))
		for _, id := range step.After {
			after[i] = append(after[i], index[id])
		}
	}
	s.grid = place(lanes, after)
	s.ways = s.grid.ways()
	for _, w := range s.ways {
		s.need(w)
	}
	s.across.assign()
	s.down.assign()
	s.measure()
}

// need asks for the tracks of a line.
func (s *sheet) need(w way) {
	a, b := s.grid.cells[w.from], s.grid.cells[w.to]
	switch {
	case w.straight:
	case w.channel < 0:
		s.across.need(a.row, w.from, 2*a.lane+1, 2*b.lane+1)
	default:
		s.across.need(a.row, w.from, 2*a.lane+1, 2*w.channel)
		s.down.need(w.channel, w.from, a.row, b.row-1)
		s.across.need(b.row-1, w.from, 2*w.channel, 2*b.lane+1)
	}
}

func (s *sheet) measure() {
	x := margin
	for l := range s.grid.lanes {
		x += gap(s.down.count[l])
		s.x = append(s.x, x)
		x += cardWide
	}
	y := headRoom + nameHigh - cardHigh // the first row has names only
	for r := range s.grid.rows {
		s.y = append(s.y, y)
		y += cardHigh + gap(s.across.count[r])
	}
}

func gap(tracks int) int { return minGap + trackGap*tracks }

func (s *sheet) right() int {
	if s.grid.lanes == 0 {
		return 0
	}
	last := s.grid.lanes - 1
	return s.x[last] + cardWide + gap(s.down.count[s.grid.lanes])
}

func (s *sheet) bottom() int {
	if s.grid.rows == 0 {
		return headRoom
	}
	return s.y[s.grid.rows-1] + cardHigh + 12
}

// lanesOf names the lanes from left to right: the hosts, what concerns the
// swarm, and the stacks, each in the order of the plan.
func lanesOf(p *plan.Plan) []string {
	var groups [3][]string
	for _, s := range p.Steps {
		g := 1
		if s.Host != "" {
			g = 0
		} else if strings.HasPrefix(string(s.ID), "stack.") {
			g = 2
		}
		if name := laneOf(s); !slices.Contains(groups[g], name) {
			groups[g] = append(groups[g], name)
		}
	}
	return slices.Concat(groups[0], groups[1], groups[2])
}

func laneOf(s plan.Step) string {
	if s.Host != "" {
		return s.Host
	}
	if rest, ok := strings.CutPrefix(string(s.ID), "stack."); ok {
		name, _, _ := strings.Cut(rest, ".")
		return "stack " + name
	}
	return "the swarm"
}

// shortID is what is left of an id in its lane.
func shortID(s plan.Step) string {
	id := string(s.ID)
	for _, prefix := range []string{"host." + s.Host + ".", strings.Replace(laneOf(s), " ", ".", 1) + "."} {
		if rest, ok := strings.CutPrefix(id, prefix); ok {
			return rest
		}
	}
	return id
}

func (s *sheet) drawLanes() {
	last := make([]int, s.grid.lanes)
	for _, c := range s.grid.cells {
		last[c.lane] = max(last[c.lane], c.row)
	}
	for l, name := range s.names {
		top := s.y[s.grid.first[l]-1] + cardHigh - nameHigh
		s.addf(`<rect class="lane" x="%d" y="%d" width="%d" height="%d" rx="10"/>`, s.x[l]-8, top, cardWide+16, s.y[last[l]]+cardHigh+10-top)
		s.addf(`<rect class="f%d" x="%d" y="%d" width="10" height="10" rx="3"/>`, l%8, s.x[l], top+12)
		s.text(s.x[l]+18, top+22, "head", cut(cmp.Or(s.called[name], name), 24))
	}
}

// symbols are those of the plan's text.
var symbols = map[plan.Kind]string{plan.Create: "+", plan.Update: "~", plan.Replace: "±", plan.Delete: "−", plan.Run: "»"}

func (s *sheet) legend(p *plan.Plan) {
	x := margin
	for _, k := range []struct {
		kind plan.Kind
		says string
	}{{plan.Create, "create"}, {plan.Update, "update"}, {plan.Replace, "replace"}, {plan.Delete, "delete"}, {plan.Run, "check or note"}} {
		s.text(x, margin+38, "mono "+string(k.kind), symbols[k.kind])
		s.text(x+14, margin+38, "dim", k.says)
		x += 34 + 7*len(k.says)
	}
	s.text(x, margin+38, "dim", cut(summaryOf(p), 90))
}

func summaryOf(p *plan.Plan) string {
	if p.Empty() {
		return p.Summary().String()
	}
	disruptive := len(p.Disruptive())
	return fmt.Sprintf("%d steps, %d of them restart or take away what runs", len(p.Steps), disruptive)
}

func (s *sheet) drawCard(i int) {
	step, c := s.plan.Steps[i], s.grid.cells[i]
	x, y := s.x[c.lane], s.y[c.row]
	class, hover := "card", fmt.Sprintf("%s\n%s\nbecause: %s", step.ID, step.Summary, step.Why)
	if step.Disrupts != "" {
		class, hover = "card hurts", hover+"\n! "+step.Disrupts
	}
	s.addf(`<g><title>%s</title>`, escaped(hover))
	s.addf(`<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="6"/>`, class, x, y, cardWide, cardHigh)
	s.addf(`<rect class="%s" x="%d" y="%d" width="4" height="%d" rx="2"/>`, step.Kind, x+5, y+7, cardHigh-14)
	s.text(x+16, y+19, "mono "+string(step.Kind), symbols[step.Kind])
	s.text(x+28, y+19, "mono", cut(shortID(step), 28))
	lines, style := wrap(step.Summary, 32, 2), "dim"
	if step.Disrupts != "" {
		lines, style = wrap("! "+step.Disrupts, 32, 2), "warn"
	}
	for n, line := range lines {
		s.text(x+16, y+36+n*14, style, line)
	}
	s.addf(`</g>`)
}

// drawWay draws a line, with an arrow where it arrives.
func (s *sheet) drawWay(w way) {
	a, b := s.grid.cells[w.from], s.grid.cells[w.to]
	x0, y0 := s.x[a.lane]+cardWide/2, s.y[a.row]+cardHigh
	x1, y1 := s.x[b.lane]+cardWide/2, s.y[b.row]-1
	points := [][2]int{{x0, y0}, {x1, y1 - 5}}
	if !w.straight {
		x0, x1 = x0+port, x1-port
		points = [][2]int{{x0, y0}, {x0, s.trackY(a.row, w.from)}}
		if w.channel >= 0 {
			x := s.trackX(w.channel, w.from)
			points = append(points, [2]int{x, s.trackY(a.row, w.from)}, [2]int{x, s.trackY(b.row-1, w.from)})
		}
		y := points[len(points)-1][1]
		points = append(points, [2]int{x1, y}, [2]int{x1, y1 - 5})
	}
	s.addf(`<path class="edge c%d" d="%s"/><path class="tip f%d" d="M%d %dl-4 -7h8z"/>`, a.lane%8, rounded(points), a.lane%8, x1, y1)
}

func (s *sheet) trackY(row, from int) int {
	return s.y[row] + cardHigh + minGap/2 + trackGap*s.across.track(row, from)
}

// trackX is the place of a track left of a lane, or right of the last one.
func (s *sheet) trackX(channel, from int) int {
	offset := 10 + trackGap*s.down.track(channel, from)
	if channel == s.grid.lanes {
		return s.x[channel-1] + cardWide + offset
	}
	return s.x[channel] - offset
}

// rounded is a path through points whose corners are rounded.
func rounded(points [][2]int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%d %d", points[0][0], points[0][1])
	for i := 1; i < len(points)-1; i++ {
		at := points[i]
		in, out := toward(at, points[i-1]), toward(at, points[i+1])
		fmt.Fprintf(&b, "L%d %dQ%d %d %d %d", in[0], in[1], at[0], at[1], out[0], out[1])
	}
	end := points[len(points)-1]
	fmt.Fprintf(&b, "L%d %d", end[0], end[1])
	return b.String()
}

// toward is the point a corner's radius away, or half-way where that is nearer.
func toward(from, to [2]int) [2]int {
	step := func(d int) int {
		if d < 0 {
			return -min(turn, -d/2)
		}
		return min(turn, d/2)
	}
	return [2]int{from[0] + step(to[0]-from[0]), from[1] + step(to[1]-from[1])}
}
