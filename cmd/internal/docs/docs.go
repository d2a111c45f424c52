// Package docs finds in Markdown what a reader would type or copy, so that tests
// can hold the docs to what the programs take.
package docs

import (
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Files are the project's texts for readers, seen from the root of the
// repository.
func Files(repository fs.FS) ([]string, error) {
	var found []string
	for _, pattern := range []string{"README*.md", "playbooks/README.md", "docs/*.md", "docs/*/*.md"} {
		more, err := fs.Glob(repository, pattern)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	if !slices.Contains(found, "README.md") {
		return nil, errors.New("this is not the root of the repository")
	}
	return found, nil
}

// Block is a fenced block of code.
type Block struct {
	Language string // what stands behind the fence
	Line     int    // of its first line of text
	Text     string
}

var (
	fence = regexp.MustCompile("(?m)^[ \t]*```(\\w*)[^\n]*\n((?s:.*?))^[ \t]*```[ \t]*$")
	span  = regexp.MustCompile("`([^`]+)`")
	aside = regexp.MustCompile(`\s{3,}.*$`) // what a command is for, in a column of its own
)

// Blocks returns the fenced blocks of a text.
func Blocks(markdown string) []Block {
	var blocks []Block
	for _, m := range fence.FindAllStringSubmatchIndex(markdown, -1) {
		blocks = append(blocks, Block{
			Language: markdown[m[2]:m[3]], Text: markdown[m[4]:m[5]],
			Line: 1 + strings.Count(markdown[:m[4]], "\n"),
		})
	}
	return blocks
}

// Command is a command line that a text shows.
type Command struct {
	Line  int
	Words []string // without the program's name
	Prose bool     // within a line of text
}

// Try says what is wrong with the command as far as no file and no host is
// needed to know. A verb that prose only names may lack its arguments. The root
// is used up.
func (c Command) Try(root *cobra.Command) error {
	verb, rest, err := root.Find(c.Words)
	if err != nil {
		return err
	}
	if c.Prose && len(rest) == 0 && verb.HasParent() {
		return nil
	}
	switch err := verb.ParseFlags(rest); {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	return verb.ValidateArgs(verb.Flags().Args())
}

// Commands returns how a text uses a program: in blocks of code, and within
// lines where it is written `program …`.
func Commands(markdown, program string) []Command {
	var found []Command
	for _, b := range Blocks(markdown) {
		if b.Language == "" || b.Language == "sh" || b.Language == "yaml" {
			found = append(found, InShell(b.Text, program, b.Line)...)
		}
	}
	prose := fence.ReplaceAllStringFunc(markdown, func(block string) string { return strings.Repeat("\n", strings.Count(block, "\n")) })
	for _, m := range span.FindAllStringSubmatchIndex(prose, -1) {
		text := strings.Join(strings.Fields(prose[m[2]:m[3]]), " ")
		for _, c := range InShell(text, program, 1+strings.Count(prose[:m[2]], "\n")) {
			c.Prose = true
			found = append(found, c)
		}
	}
	return found
}

// InShell returns how lines of shell use a program. Line is that of the first.
func InShell(text, program string, line int) []Command {
	var found []Command
	for i, l := range strings.Split(strings.ReplaceAll(text, "\\\n", "  "), "\n") {
		l = strings.TrimSpace(l)
		l = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(l, "- "), "run: "), "$ ")
		for _, words := range split(aside.ReplaceAllString(l, "")) {
			for len(words) > 0 && strings.Contains(words[0], "=") { // a variable for the command
				words = words[1:]
			}
			if len(words) > 1 && (words[0] == program || strings.HasSuffix(words[0], "/"+program)) {
				found = append(found, Command{Line: line + i, Words: words[1:]})
			}
		}
	}
	return found
}

// split takes a line of shell apart into commands and their words, as far as
// docs use it: quotes, comments, pipes and lists; what is redirected is left
// out.
func split(line string) [][]string {
	var commands [][]string
	var words []string
	var word strings.Builder
	quote, begun := rune(0), false
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ':
			end()
		case r == '#' && !begun:
			return append(commands, words)
		case strings.ContainsRune("|&;<>()", r):
			end()
			commands, words = append(commands, words), nil
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	end()
	return append(commands, words)
}
