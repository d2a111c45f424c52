package screen

import (
	"slices"
	"strings"
	"testing"

	"github.com/hinshun/vt10x"
)

func TestParse(t *testing.T) {
	for sent, want := range map[string][]Key{
		"q":                  {"q"},
		"\x1b[A\x1b[B":       {Up, Down},
		"\x1bOA\x1bOB":       {Up, Down},
		"\x1b[5~\x1b[6~":     {PageUp, PageDown},
		"\x1b[H\x1b[F":       {Home, End},
		"\r":                 {Enter},
		"\x1b":               {Escape},
		"\x03":               {Interrupt},
		"\x1b[?2026;2$y":     nil,
		"\x1b[1;5Cq":         {"q"},
		"\x1b[":              nil,
		"\x1b[200~":          nil,
		"é\x00\x1a":          nil,
		"\x1b[Aq\x1b[<0;1;1": {Up, "q"},
	} {
		if got := parse(sent); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", sent, got, want)
		}
	}
}

// TestDrawWritesOnlyWhatChanged looks at what goes to the terminal, and at what
// the terminal then shows.
func TestDrawWritesOnlyWhatChanged(t *testing.T) {
	emulator := vt10x.New(vt10x.WithSize(20, 4))
	var sent strings.Builder
	columns, rows := 20, 4
	s := Open(Terminal{Out: both{&sent, emulator}, Size: func() (int, int, error) { return columns, rows, nil }})
	lines := []string{"one", "two", "three"}
	draw := func(columns, rows int) []string { return lines }
	s.Draw(draw)
	sent.Reset()
	s.Draw(draw)
	if sent.Len() > 0 {
		t.Errorf("the same picture was written again: %q", sent.String())
	}
	lines = []string{"one", "2", "three"}
	s.Draw(draw)
	if got := sent.String(); strings.Contains(got, "one") || strings.Count(got, "\x1b[K") != 1 || strings.Contains(got, "\x1b[2J") {
		t.Errorf("more than the changed line was written: %q", got)
	}
	if got := text(emulator); got != "one\n2\nthree\n\n" {
		t.Errorf("the terminal shows %q", got)
	}
	columns, rows = 10, 2
	emulator.Resize(10, 2)
	s.Draw(draw)
	if got := text(emulator); got != "one\n2\n" {
		t.Errorf("after the change of size it shows %q", got)
	}
	s.Close()
	s.Close()
	s.Draw(draw)
	if !strings.HasSuffix(sent.String(), leave) {
		t.Errorf("the terminal was not given back: %q", sent.String())
	}
}

type both struct {
	sent     *strings.Builder
	emulator vt10x.Terminal
}

func (b both) Write(p []byte) (int, error) {
	b.sent.Write(p)
	return b.emulator.Write(p)
}

// text is what a terminal shows.
func text(t vt10x.Terminal) string {
	columns, rows := t.Size()
	var b strings.Builder
	for y := range rows {
		line := ""
		for x := range columns {
			line += string(t.Cell(x, y).Char)
		}
		b.WriteString(strings.TrimRight(line, " \x00") + "\n")
	}
	return b.String()
}

func TestLinesKeepToTheirColumns(t *testing.T) {
	for _, c := range []struct {
		columns int
		want    string
	}{
		{20, "a 日本語          9s"}, {12, "a 日本語"}, {6, "a 日…"}, {3, "a …"}, {0, ""},
	} {
		l := NewLine(c.columns).Add(Plain, "a ").Add(Plain, "日本語")
		if c.columns == 20 {
			l.Right(Plain, "9s")
		}
		got := l.String()
		if strings.TrimRight(got, " ") != c.want && got != c.want || Width(got) > c.columns {
			t.Errorf("in %d columns: %q (%d wide), want %q", c.columns, got, Width(got), c.want)
		}
	}
}
