package screen

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// widths counts the columns of characters: those of East Asia two, those that
// are ambiguous one, whatever the locale.
var widths = &runewidth.Condition{}

// Width is the number of columns that a text takes.
func Width(text string) int { return widths.StringWidth(text) }

// Cut shortens a text to a number of columns, an ellipsis included.
func Cut(text string, columns int) string {
	if columns <= 0 {
		return ""
	}
	return widths.Truncate(text, columns, "…")
}

// Pad cuts a text or fills it with blanks up to a number of columns.
func Pad(text string, columns int) string {
	return widths.FillRight(Cut(text, columns), columns)
}

// Paint gives a text a style, as the numbers of SGR.
func Paint(style, text string) string {
	if style == "" || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// Styles that are legible on dark and on light.
const (
	Plain  = ""
	Bold   = "1"
	Dim    = "2"
	Red    = "31"
	Green  = "32"
	Yellow = "33"
	Cyan   = "36"
	Chosen = "7"
)

// Line is a line of text, piece by piece.
type Line struct {
	b    strings.Builder
	left int
}

// NewLine begins a line of at most so many columns.
func NewLine(columns int) *Line { return &Line{left: columns} }

// Add puts a text at the end, as much as there is room for.
func (l *Line) Add(style, text string) *Line {
	text = Cut(text, l.left)
	l.left -= Width(text)
	l.b.WriteString(Paint(style, text))
	return l
}

// Right puts a text at the right edge, where there is room for all of it.
func (l *Line) Right(style, text string) *Line {
	if w := Width(text); l.left >= w {
		l.Add("", strings.Repeat(" ", l.left-w)).Add(style, text)
	}
	return l
}

// Left is the number of columns that are still free.
func (l *Line) Left() int { return l.left }

func (l *Line) String() string { return l.b.String() }
