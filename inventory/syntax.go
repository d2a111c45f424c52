package inventory

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Parse is hclsyntax.ParseConfig with diagnostics for those who do not know the
// grammar: they say what to write instead, one for each line, and a file of
// another language gets a single one. The body is a *hclsyntax.Body.
func Parse(text []byte, name string) (*hcl.File, hcl.Diagnostics) {
	file, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	if !diags.HasErrors() {
		return file, diags
	}
	for _, l := range languages {
		if i := l.find(text); i >= 0 {
			if l.binary {
				file.Bytes = nil // a terminal must not be shown it
			}
			return file, hcl.Diagnostics{diagnose(hcl.DiagError, at(lineAt(text, name, i)), l.summary, l.detail)}
		}
	}
	return file, clarify(text, diags)
}

// language is what a file is in that is no HCL. find returns where that shows,
// or less than 0.
type language struct {
	find            func(text []byte) int
	binary          bool
	summary, detail string
}

const instead = `HCL is needed here: blocks with arguments, such as host "node-1" { address = "10.0.0.11" }.`

var languages = []language{
	{find: utf16, binary: true, summary: "The file is in UTF-16", detail: "Save it as UTF-8, without a byte order mark."},
	{find: func(text []byte) int { return bytes.IndexByte(text, 0) }, binary: true, summary: "Not a text file", detail: "It holds bytes that no text has. Check the path."},
	{find: notUTF8, binary: true, summary: "The file is not in UTF-8", detail: "A letter on this line is in another encoding, such as Latin-1. Save the file as UTF-8."},
	{find: starts(`\s*\{`), summary: "This looks like JSON", detail: instead},
	{find: starts(`(\s*#[^\n]*\n)*\s*(---|[A-Za-z_][\w-]*:[ \t]*(\n|$))`), summary: "This looks like YAML", detail: instead},
	{find: starts(`(\s*[#;][^\n]*\n)*\s*\[[\w:. -]+\][ \t]*(\n|$)`), summary: "This looks like an INI file", detail: instead},
	{find: conflict, summary: "Two versions that were not merged", detail: "Keep what is right of the lines between <<<<<<< and >>>>>>>, and remove these marks."},
}

func utf16(text []byte) int {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return 0
	}
	return -1
}

func starts(pattern string) func([]byte) int {
	re := regexp.MustCompile(`^(?:` + pattern + `)`)
	return func(text []byte) int {
		loc := re.FindIndex(text)
		if loc == nil {
			return -1
		}
		return loc[0]
	}
}

var mark = regexp.MustCompile(`(?m)^<<<<<<< `)

func conflict(text []byte) int {
	loc := mark.FindIndex(text)
	if loc == nil {
		return -1
	}
	return loc[0]
}

func notUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// lineAt is the first character of the line that holds a byte.
func lineAt(text []byte, name string, i int) hcl.Range {
	begin := bytes.LastIndexByte(text[:i], '\n') + 1
	pos := hcl.Pos{Line: 1 + bytes.Count(text[:begin], []byte("\n")), Column: 1, Byte: begin}
	return hcl.Range{Filename: name, Start: pos, End: pos}
}

// slip is a mistake that a line shows. A correction is the line as it should
// be, with $1 for what the pattern's groups hold.
type slip struct {
	summary    string // of the parser, "" for any
	line       *regexp.Regexp
	says       string
	correction string
}

const value = `("[^"]*"|[^\s{}]+)`

// The first that fits is taken.
var slips = []slip{
	{"", regexp.MustCompile(`[“”„](.*?)[“”]`), "Curly quotes come from word processors and web pages.", `"$1"`},
	{"", regexp.MustCompile("[\u00a0\u2000-\u200b\u202f\ufeff]"), "A character here looks like a space and is none; it comes with text that is copied from a web page. Type the space anew.", ""},
	{"", regexp.MustCompile(`'([^']*)'`), "Text stands in double quotes.", `"$1"`},
	{"", regexp.MustCompile(`\{\{.*\}\}`), `The {{ … }} of Ansible and Jinja means nothing here. Write var.NAME, or "${var.NAME}" within a text.`, ""},
	{"", regexp.MustCompile(`=\s*\$\{\s*([^}]*?)\s*\}`), "Outside of quotes a reference stands alone.", "= $1"},
	{"Argument or block definition required", regexp.MustCompile(`^([\w-]+)\s*:\s+(.*)$`), "A value is given by an equals sign.", "$1 = $2"},
	{"Argument or block definition required", regexp.MustCompile(`^}.*$`), "This brace closes nothing: there is one too many, here or above.", ""},
	{"Invalid block definition", regexp.MustCompile(`^([\w-]+)\s+` + value + `$`), "A value is given by an equals sign.", "$1 = $2"},
	{"Argument or block definition required", regexp.MustCompile(`^([\w-]+)\s+` + value + `$`), "A value is given by an equals sign.", "$1 = $2"},
	{"Missing key/value separator", regexp.MustCompile(`\s*(?:=>|:=)\s*`), "A value is given by an equals sign.", " = "},
	{"Invalid number literal", regexp.MustCompile(`\b([0-9]+(?:\.[0-9]+){2,}(?:/[0-9]+)?)`), "This is a text, and stands in quotes.", `"$1"`},
	{"Invalid escape sequence", regexp.MustCompile(`\\`), `In quotes, \ begins \n, \t, \" and \\. Write it twice, or / in a path.`, ""},
	{"Invalid single-argument block definition", regexp.MustCompile(``), "A block on one line has one argument. Write each on a line of its own, without commas between them.", ""},
	{"Missing item separator", regexp.MustCompile(``), "A list has commas between its entries, and ends with a bracket. One of the two is missing at the end of the line before.", ""},
	{"Invalid multi-line string", regexp.MustCompile(``), `The text that begins here has no closing quote. A text of several lines begins with <<EOT and ends with a line that holds EOT alone.`, ""},
}

var opened = regexp.MustCompile(`<<-?\s*(\w+)`)

// clarify keeps one diagnostic for each line, the first that it has better
// words for, and none that follows from a text without an end.
func clarify(text []byte, diags hcl.Diagnostics) hcl.Diagnostics {
	var kept hcl.Diagnostics
	clear := false // whether the last one kept has better words
	for _, d := range diags {
		detail := explain(text, d)
		if last := len(kept) - 1; last >= 0 && kept[last].Subject.Start.Line == d.Subject.Start.Line {
			if clear || detail == "" {
				continue
			}
			kept = kept[:last]
		}
		if clear = detail != ""; clear {
			d.Detail = detail
		}
		kept = append(kept, d)
		if d.Summary == "Invalid multi-line string" || d.Summary == "Unterminated template string" {
			break
		}
	}
	return kept
}

// explain says what to write instead of the line that a diagnostic points to,
// or returns "".
func explain(text []byte, d *hcl.Diagnostic) string {
	if m := opened.FindAllSubmatch(text[:d.Subject.Start.Byte], -1); d.Summary == "Unterminated template string" && m != nil {
		return fmt.Sprintf("The text that begins with <<%[1]s ends with a line that holds %[1]s alone, and there is none.", m[len(m)-1][1])
	}
	line := lineOf(text, d.Subject.Start.Byte)
	for _, s := range slips {
		if s.summary != "" && s.summary != d.Summary || !s.line.MatchString(line) {
			continue
		}
		if s.correction == "" {
			return s.says
		}
		return s.says + " Write: " + s.line.ReplaceAllString(line, s.correction)
	}
	return ""
}

// lineOf returns the line that holds a byte, without space around it.
func lineOf(text []byte, i int) string {
	begin := bytes.LastIndexByte(text[:i], '\n') + 1
	line, _, _ := strings.Cut(string(text[begin:]), "\n")
	return strings.Trim(line, " \t\r")
}
