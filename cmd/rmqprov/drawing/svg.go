// Package drawing draws plans and clusters as SVG. The same input gives the
// same bytes; nothing is asked of the machine, and no font is measured: text
// is cut to what fits in any font of its kind.
package drawing

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// canvas collects the elements of a picture.
type canvas struct{ strings.Builder }

func (c *canvas) addf(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

// text writes a text at a point, in the style of a class.
func (c *canvas) text(x, y int, class, text string) {
	c.addf(`<text x="%d" y="%d" class="%s">%s</text>`, x, y, class, escaped(text))
}

// write puts the picture together: its size, its style and what was drawn.
func (c *canvas) write(w io.Writer, title string, width, height int) error {
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" role="img" aria-label="%[3]s">
<title>%[3]s</title>
<style>%[4]s</style>
<rect class="paper" width="%[1]d" height="%[2]d"/>
%[5]s</svg>
`, width, height, escaped(title), style, c.String())
	return err
}

func escaped(text string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		panic(err) // a strings.Builder takes all that is written
	}
	return b.String()
}

// cut shortens a text to a number of characters, an ellipsis included.
func cut(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return strings.TrimRight(string(runes[:max(0, n-1)]), " ") + "…"
}

// wrap breaks a text at spaces into at most n lines of a number of characters.
func wrap(text string, width, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len([]rune(line+" "+word)) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	lines = append(lines, line)
	if len(lines) > n {
		lines = append(lines[:n-1:n-1], strings.Join(lines[n-1:], " "))
	}
	for i := range lines {
		lines[i] = cut(lines[i], width)
	}
	return lines
}

// style is for light and dark alike: each colour is set twice. Widths of
// characters, in the widest of the usual fonts: mono 0.61 of the size, sans 0.62.
const style = `
text { font-family: "Helvetica Neue", Arial, "Liberation Sans", sans-serif; font-size: 11px; fill: #1f2328; }
.mono { font-family: ui-monospace, Menlo, "DejaVu Sans Mono", monospace; font-size: 12px; font-weight: 600; }
.head { font-size: 15px; font-weight: 700; }
.title { font-size: 20px; font-weight: 700; }
.dim { fill: #59636e; }
.small { font-size: 10px; }
.warn { fill: #b42318; font-weight: 600; }
.paper { fill: #ffffff; }
.lane { fill: #f3f6f9; }
.zone { fill: #f3f6f9; stroke: #d1d9e0; }
.card { fill: #ffffff; stroke: #c3ccd5; }
.hurts { stroke: #b42318; stroke-width: 2; }
.create { fill: #1a7f37; } .update { fill: #9a6700; } .replace { fill: #8250df; } .delete { fill: #b42318; } .run { fill: #0969da; }
.edge { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
.tip { stroke: none; }
.c0 { stroke: #2f6fb0; } .c1 { stroke: #b3541e; } .c2 { stroke: #2c8a57; } .c3 { stroke: #8a4bb3; } .c4 { stroke: #a8324e; } .c5 { stroke: #7a6a00; } .c6 { stroke: #0f8291; } .c7 { stroke: #6b7280; }
.f0 { fill: #2f6fb0; } .f1 { fill: #b3541e; } .f2 { fill: #2c8a57; } .f3 { fill: #8a4bb3; } .f4 { fill: #a8324e; } .f5 { fill: #7a6a00; } .f6 { fill: #0f8291; } .f7 { fill: #6b7280; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.dim { fill: #9aa4af; }
.warn { fill: #ff8a80; }
.paper { fill: #0d1117; }
.lane { fill: #151b23; }
.zone { fill: #151b23; stroke: #3d444d; }
.card { fill: #212830; stroke: #4a535d; }
.hurts { stroke: #ff8a80; }
.create { fill: #3fb950; } .update { fill: #d29922; } .replace { fill: #bc8cff; } .delete { fill: #ff8a80; } .run { fill: #58a6ff; }
.c0 { stroke: #6cabec; } .c1 { stroke: #f0934e; } .c2 { stroke: #5fcf8f; } .c3 { stroke: #c792ea; } .c4 { stroke: #f27d98; } .c5 { stroke: #d6c24a; } .c6 { stroke: #4fd0de; } .c7 { stroke: #a3acb8; }
.f0 { fill: #6cabec; } .f1 { fill: #f0934e; } .f2 { fill: #5fcf8f; } .f3 { fill: #c792ea; } .f4 { fill: #f27d98; } .f5 { fill: #d6c24a; } .f6 { fill: #4fd0de; } .f7 { fill: #a3acb8; }
}
`
