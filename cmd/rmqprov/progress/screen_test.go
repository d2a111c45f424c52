package progress

import (
	"fmt"
	"regexp"
	"strings"
)

// screen is as much of a terminal as the live view makes use of: it shows the
// text that is left after all cursor movements.
type screen struct {
	lines []string
	row   int
}

var sequence = regexp.MustCompile(`^\x1b\[(\??\d*(?:;\d+)*)([A-Za-z])`)

func (s *screen) Write(p []byte) (int, error) {
	text := string(p)
	column := 0
	for text != "" {
		if m := sequence.FindStringSubmatch(text); m != nil {
			s.control(m[1], m[2], column)
			text = text[len(m[0]):]
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		switch r {
		case '\r':
			column = 0
		case '\n':
			s.row++
			column = 0
		default:
			s.put(column, r)
			column++
		}
	}
	return len(p), nil
}

func (s *screen) control(argument, kind string, column int) {
	switch kind {
	case "A":
		var n int
		fmt.Sscan(argument, &n)
		s.row = max(0, s.row-n)
	case "K":
		if s.row < len(s.lines) {
			s.lines[s.row] = string([]rune(s.lines[s.row])[:min(column, len([]rune(s.lines[s.row])))])
		}
	case "J":
		s.lines = s.lines[:min(s.row, len(s.lines))]
	case "m", "h", "l":
	default:
		panic("the screen knows no sequence " + kind)
	}
}

func (s *screen) put(column int, r rune) {
	for len(s.lines) <= s.row {
		s.lines = append(s.lines, "")
	}
	line := []rune(s.lines[s.row])
	for len(line) <= column {
		line = append(line, ' ')
	}
	line[column] = r
	s.lines[s.row] = string(line)
}

func (s *screen) String() string {
	var b strings.Builder
	for _, l := range s.lines {
		b.WriteString(strings.TrimRight(l, " ") + "\n")
	}
	return b.String()
}
