package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kevinburke/ssh_config"
)

const (
	systemConfigFolder = "/etc/ssh"
	maxIncludeDepth    = 16
	neverMatches       = "Host !*"
)

// readConfig reads the user's configuration and then the system's, as one: the
// first value found for a host counts.
func readConfig(file string) (*ssh_config.Config, error) {
	var text strings.Builder
	var err error
	switch file {
	case "none":
	case "":
		err = errors.Join(
			flatten(&text, "Host *", expandHome("~/.ssh/config"), 0),
			flatten(&text, "Host *", systemConfigFolder+"/ssh_config", 0))
	default:
		if _, err := os.Stat(expandHome(file)); err != nil {
			return nil, err
		}
		err = flatten(&text, "Host *", expandHome(file), 0)
	}
	if err != nil {
		return nil, err
	}
	return ssh_config.Decode(strings.NewReader(text.String()))
}

// flatten writes a configuration file with its includes in their places. The
// parser rejects a whole file for a Match that it does not know, and Fedora's
// own ssh_config has one, so such blocks are turned here into what the parser
// knows, or into one that matches no host.
func flatten(out *strings.Builder, block, file string, depth int) error {
	if depth > maxIncludeDepth {
		return fmt.Errorf("%s: more than %d files include each other", file, maxIncludeDepth)
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if depth == 0 {
		fmt.Fprintln(out, block)
	}
	for line := range strings.Lines(string(text)) {
		key, value := splitDirective(line)
		switch key {
		case "host":
			block = "Host " + value
			fmt.Fprintln(out, block)
		case "match":
			block = matchAsHost(strings.Fields(value))
			fmt.Fprintln(out, block)
		case "include":
			for _, f := range included(value, file) {
				if err := flatten(out, block, f, depth+1); err != nil {
					return err
				}
			}
			fmt.Fprintln(out, block) // the included file may have left its own
		default:
			fmt.Fprintln(out, strings.TrimRight(line, "\r\n"))
		}
	}
	return nil
}

// splitDirective returns the lower-case keyword and, for those that flatten
// looks at, their words with one blank between.
func splitDirective(line string) (key, value string) {
	line = strings.TrimSpace(line)
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return "", ""
	}
	value = strings.TrimLeft(line[end:], " \t=")
	value, _, _ = strings.Cut(value, " #")
	return strings.ToLower(line[:end]), strings.ReplaceAll(strings.Join(strings.Fields(value), " "), `"`, "")
}

// matchAsHost turns the Match criteria that depend on the host's name alone
// into a Host line.
func matchAsHost(criteria []string) string {
	switch {
	case len(criteria) == 1 && strings.EqualFold(criteria[0], "all"):
		return "Host *"
	case len(criteria) == 2 && slices.Contains([]string{"host", "originalhost"}, strings.ToLower(criteria[0])):
		return "Host " + strings.ReplaceAll(criteria[1], ",", " ")
	}
	return neverMatches
}

// included finds the files of an Include line: relative ones are in the folder
// of the user's or the system's configuration.
func included(patterns, from string) []string {
	base := expandHome("~/.ssh")
	if strings.HasPrefix(filepath.Clean(from), systemConfigFolder+"/") {
		base = systemConfigFolder
	}
	var files []string
	for _, p := range strings.Fields(patterns) {
		p = expandHome(p)
		if !filepath.IsAbs(p) {
			p = filepath.Join(base, p)
		}
		found, _ := filepath.Glob(p) // a malformed pattern matches nothing, as in OpenSSH
		files = append(files, found...)
	}
	return files
}
