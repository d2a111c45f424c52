package progress

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/screen"
	"github.com/rmqprov/rmqprov/provision"
)

// frame is one picture of a board.
type frame struct {
	*board
	now           time.Time
	columns, rows int
	chosen        *spot // by the cursor; nil: none
	keyed         bool  // keys are read
}

const (
	airy       = 14 // rows from which blank lines are drawn
	failLines  = 3  // shown below a place that failed, where few did
	barColumns = 24
)

// draw makes the lines of the picture, and the places in the order in which
// they stand there.
func (f frame) draw() (lines []string, order []*spot) {
	above, below := f.above(), f.below()
	room := max(2, f.rows-len(above)-len(below))
	hosts, others := f.block(f.hosts, "Hosts", false), f.block(f.others, "Stacks", true)
	othersRoom := f.needs(others)
	if f.needs(hosts)+othersRoom > room && othersRoom > room/2 {
		others = f.block(f.others, "Stacks", false)
		othersRoom = min(f.needs(others), max(room/2, room-f.needs(hosts)))
	}
	hostLines, hostOrder := f.fit(hosts, room-othersRoom)
	otherLines, otherOrder := f.fit(others, othersRoom)
	lines = slices.Concat(above, hostLines, otherLines)
	for len(lines) < f.rows-len(below) {
		lines = append(lines, "")
	}
	return append(lines, below...), append(hostOrder, otherOrder...)
}

// block is a heading with places below it.
type block struct {
	heading string
	entries []entry
}

// entry is a place with its lines.
type entry struct {
	spot  *spot
	how   standing
	lines []string
}

func (f frame) block(spots []*spot, heading string, gates bool) block {
	b := block{}
	var count [finished + 1]int
	for _, p := range spots {
		how, _, _ := p.stands()
		count[how]++
	}
	words := failLines
	if count[failing] > 2 { // rather all that failed than all that they said
		words = 1
	}
	for _, p := range spots {
		how, shown, more := p.stands()
		e := entry{p, how, []string{f.line(p, how, shown, more)}}
		if how == failing {
			e.lines = append(e.lines, f.lastWords(shown, words)...)
		} else if line := f.gates(p); gates && line != "" {
			e.lines = append(e.lines, line)
		}
		b.entries = append(b.entries, e)
	}
	b.heading = screen.NewLine(f.columns).Add(screen.Bold, " "+heading).Add(screen.Dim, "  "+counts(count)).String()
	return b
}

// needs is the number of rows that a block takes: with its heading, and a blank
// line where there is room for such.
func (f frame) needs(b block) int {
	if len(b.entries) == 0 {
		return 0
	}
	n := 1 + f.blank()
	for _, e := range b.entries {
		n += len(e.lines)
	}
	return n
}

func (f frame) blank() int {
	if f.rows >= airy {
		return 1
	}
	return 0
}

// counts says how the places of a block fare.
func counts(n [finished + 1]int) string {
	var parts []string
	for how, word := range []string{"failed", "at work", "waiting", "not done", "done"} {
		if n[how] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[how], word))
		}
	}
	return strings.Join(parts, " · ")
}

// fit shows a block in so many rows. Where not all places have room, the
// failed and the busy ones stand first, the one under the cursor is in sight,
// and the others are counted.
func (f frame) fit(b block, rows int) (lines []string, order []*spot) {
	if len(b.entries) == 0 || rows <= 0 {
		return nil, nil
	}
	entries, room := b.entries, rows-1-f.blank()
	if f.needs(b) > rows {
		entries = slices.Clone(entries)
		slices.SortStableFunc(entries, func(a, b entry) int { return int(a.how - b.how) })
		room-- // for the count of those that are not in sight
	}
	for _, e := range entries {
		order = append(order, e.spot)
	}
	from := f.firstShown(entries, room)
	to := from
	for ; to < len(entries) && len(entries[to].lines) <= room; to++ {
		room -= len(entries[to].lines)
	}
	lines = append(lines, b.heading)
	for _, e := range entries[from:to] {
		lines = append(lines, e.lines...)
	}
	var hidden [finished + 1]int
	for _, e := range slices.Concat(entries[:from], entries[to:]) {
		hidden[e.how]++
	}
	if hidden != [finished + 1]int{} {
		lines = append(lines, screen.NewLine(f.columns).Add(screen.Dim, "   … and "+counts(hidden)).String())
	}
	if f.blank() == 1 {
		lines = append(lines, "")
	}
	return lines[:min(len(lines), rows)], order
}

// firstShown is the first entry in sight: the cursor's is the last at most.
func (f frame) firstShown(entries []entry, room int) int {
	at := slices.IndexFunc(entries, func(e entry) bool { return e.spot == f.chosen })
	for from := 0; ; from++ {
		rows := 0
		for i := from; i <= at; i++ {
			rows += len(entries[i].lines)
		}
		if rows <= room || from >= at {
			return from
		}
	}
}

// spinner turns ten times a second.
var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

func (f frame) mark(how standing) (style, mark string) {
	switch how {
	case failing:
		return "1;31", "✗"
	case busy:
		return screen.Cyan, string(spinner[int(f.now.Sub(f.began)/redrawEvery)%len(spinner)])
	case waiting:
		return screen.Dim, "·"
	case left:
		return screen.Yellow, "–"
	}
	return screen.Green, "✓"
}

// line is a place's line: what it is at and for how long, or what it waits for.
func (f frame) line(p *spot, how standing, shown *step, more int) string {
	l := screen.NewLine(f.columns)
	style, mark := f.mark(how)
	pointer, nameStyle := " ", screen.Plain
	if p == f.chosen {
		pointer, nameStyle = "▸", screen.Bold
	}
	l.Add(screen.Bold, pointer).Add(style, mark).Add("", " ").Add(nameStyle, screen.Pad(p.name, f.width)).Add("", "  ")
	switch how {
	case failing:
		took := " after " + short(shown.took)
		l.Add(screen.Red, screen.Cut(shown.summary, l.Left()-screen.Width(took))).Right(screen.Red, took)
	case busy:
		f.doing(l, shown, more)
	case waiting:
		l.Add(screen.Dim, waitsFor(shown))
	case left:
		l.Add(screen.Yellow, shown.detail)
	case finished:
		l.Add(screen.Dim, doneText(p))
	}
	return l.String()
}

// doing writes what a place is at, and for how long.
func (f frame) doing(l *screen.Line, s *step, more int) {
	took := " " + short(f.now.Sub(s.began))
	room := l.Left() - screen.Width(took)
	if more > 0 {
		also := fmt.Sprintf(" +%d", more)
		room -= screen.Width(also)
		defer func() { l.Right(screen.Dim, also+took) }()
	} else {
		defer func() { l.Right(screen.Dim, took) }()
	}
	if s.detail == "" {
		l.Add("", screen.Cut(s.summary, room))
		return
	}
	what := screen.Cut(s.summary, max(room/2, room-screen.Width(" · "+s.detail)))
	l.Add("", what).Add(screen.Dim, screen.Cut(" · "+s.detail, room-screen.Width(what)))
}

func waitsFor(s *step) string {
	before := s.holdup()
	if before == nil {
		return "waits for its turn: " + s.summary
	}
	if before.spot == s.spot {
		return "waits: " + before.summary
	}
	return "waits for " + before.spot.name + ": " + before.summary
}

func doneText(p *spot) string {
	if len(p.steps) == 1 {
		return p.steps[0].summary
	}
	return fmt.Sprintf("%d steps done", len(p.steps))
}

// lastWords are the last lines that came from a step that failed.
func (f frame) lastWords(s *step, n int) []string {
	var lines []string
	for _, text := range tail(s.said, n) {
		lines = append(lines, screen.NewLine(f.columns).Add("", strings.Repeat(" ", 5+f.width)).Add(screen.Red, "│ ").Add("", clean(text)).String())
	}
	return lines
}

// gates is the line of a stack's gates, each with a mark for every member that
// it is asked of; "" where the stack has none.
func (f frame) gates(p *spot) string {
	l := screen.NewLine(f.columns).Add("", strings.Repeat(" ", 3+f.width)).Add(screen.Dim, "  gates")
	before := ""
	for _, s := range p.steps {
		_, gate, ok := strings.Cut(string(s.id), ".gate.")
		if !ok {
			continue
		}
		gate, _, _ = strings.Cut(gate, ".") // what follows is a member
		if gate != before {
			l.Add(screen.Dim, "  "+gate+" ")
		}
		how, _, _ := (&spot{steps: []*step{s}}).stands()
		style, mark := f.mark(how)
		l.Add(style, mark)
		before = gate
	}
	if before == "" {
		return ""
	}
	return l.String()
}

// above is the line over all: how far the run is.
func (f frame) above() []string {
	total := len(f.steps)
	filled := 0
	if total > 0 {
		filled = barColumns * f.ended / total
	}
	l := screen.NewLine(f.columns).Add("", " ").Add(screen.Green, strings.Repeat("━", filled)).Add(screen.Dim, strings.Repeat("━", barColumns-filled)).
		Add(screen.Bold, fmt.Sprintf("  %d of %d steps", f.ended, total))
	if n := f.failed(); n > 0 {
		l.Add("1;31", fmt.Sprintf("  %d failed", n))
	}
	lines := []string{l.Right(screen.Bold, short(f.now.Sub(f.began))+" ").String()}
	if f.blank() == 1 {
		lines = append(lines, "")
	}
	return lines
}

func (f frame) failed() int {
	n := 0
	for _, s := range f.steps {
		if s.state == provision.Failed {
			n++
		}
	}
	return n
}

// below is what stands under all: the program's own word, and the keys.
func (f frame) below() []string {
	var lines []string
	if f.note != "" {
		lines = append(lines, screen.NewLine(f.columns).Add("1;33", " "+f.note).String())
	}
	keys := " ^C stop"
	if f.keyed {
		keys = " ↑ ↓ choose   enter log   q leave this picture, the run goes on   ^C stop"
	}
	return append(lines, screen.NewLine(f.columns).Add(screen.Dim, keys).String())
}

// drawLog makes the picture of a place's log, back lines before its end.
func (f frame) drawLog(p *spot, back int) []string {
	_, shown, _ := p.stands()
	l := screen.NewLine(f.columns).Add(screen.Bold, " "+p.name)
	l.Add(screen.Dim, "  "+shown.summary).Right(screen.Bold, short(f.now.Sub(f.began))+" ")
	lines := []string{l.String(), ""}
	room := max(1, f.rows-3)
	end := max(min(room, len(p.log)), len(p.log)-back)
	for _, text := range p.log[max(0, end-room):end] {
		style := screen.Plain
		if strings.Contains(text, "  FAILED") || strings.Contains(text, "    !   ") {
			style = screen.Red
		}
		lines = append(lines, screen.NewLine(f.columns).Add(style, text).String())
	}
	for len(lines) < f.rows-1 {
		lines = append(lines, "")
	}
	keys := " ↑ ↓ page up page down scroll   enter or q back   ^C stop"
	return append(lines[:max(0, f.rows-1)], screen.NewLine(f.columns).Add(screen.Dim, keys).String())
}

// short writes a duration in few characters: 4.2s, 42s, 2m05s.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return seconds(d)
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
