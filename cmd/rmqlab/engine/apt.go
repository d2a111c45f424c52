package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Mirror is where this machine gets its Debian packages, as its own apt sources say.
type Mirror struct {
	Archive  string   // base address of the Debian archive
	Security string   // base address of the security archive; empty when the machine has none
	Options  []string // apt options that reaching them takes: proxies, tolerance for old release files
}

// ReadMirror reads the machine's apt configuration.
func ReadMirror(ctx context.Context) (Mirror, error) {
	osRelease, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return Mirror{}, err
	}
	var entries []aptSource
	for _, pattern := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return Mirror{}, err
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				return Mirror{}, fmt.Errorf("reading the machine's apt sources: %w", err)
			}
			entries = append(entries, parseSources(path, string(text))...)
		}
	}
	m, err := chooseMirror(entries, parseOSRelease(string(osRelease))["VERSION_CODENAME"])
	if err != nil {
		return Mirror{}, err
	}
	dump, err := exec.CommandContext(ctx, "apt-config", "dump").Output()
	if err != nil {
		return Mirror{}, fmt.Errorf("apt-config dump: %w", err)
	}
	m.Options = reachOptions(string(dump))
	return m, nil
}

// aptSource is one binary package source.
type aptSource struct {
	uri, suite string
	components []string
}

func parseSources(path, text string) []aptSource {
	if strings.HasSuffix(path, ".sources") {
		return parseDeb822(text)
	}
	return parseOneLine(text)
}

// parseOneLine reads "deb [options] URI SUITE COMPONENT…" lines.
func parseOneLine(text string) []aptSource {
	var found []aptSource
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "deb" {
			continue
		}
		fields = fields[1:]
		if len(fields) > 0 && strings.HasPrefix(fields[0], "[") {
			end := slices.IndexFunc(fields, func(f string) bool { return strings.HasSuffix(f, "]") })
			fields = fields[end+1:]
		}
		if len(fields) >= 2 {
			found = append(found, aptSource{fields[0], fields[1], fields[2:]})
		}
	}
	return found
}

// parseDeb822 reads stanzas of "Field: value" lines, a blank line between stanzas.
func parseDeb822(text string) []aptSource {
	var found []aptSource
	fields, last := map[string][]string{}, ""
	flush := func() {
		found = append(found, stanzaSources(fields)...)
		fields, last = map[string][]string{}, ""
	}
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			flush()
		case line[0] == ' ' || line[0] == '\t':
			fields[last] = append(fields[last], strings.Fields(line)...)
		default:
			key, value, _ := strings.Cut(line, ":")
			last = strings.ToLower(key)
			fields[last] = strings.Fields(value)
		}
	}
	flush()
	return found
}

func stanzaSources(fields map[string][]string) []aptSource {
	if !slices.Contains(fields["types"], "deb") || slices.Equal(fields["enabled"], []string{"no"}) {
		return nil
	}
	var found []aptSource
	for _, uri := range fields["uris"] {
		for _, suite := range fields["suites"] {
			found = append(found, aptSource{uri, suite, fields["components"]})
		}
	}
	return found
}

// chooseMirror picks the Debian archive among a machine's sources: it alone has a suite named
// as the release with a component main. Third parties have suites or components of their own.
func chooseMirror(sources []aptSource, codename string) (Mirror, error) {
	var m Mirror
	for _, s := range sources {
		if !slices.Contains(s.components, "main") || !strings.HasPrefix(s.uri, "http") {
			continue
		}
		switch uri := strings.TrimSuffix(s.uri, "/"); {
		case s.suite == codename && m.Archive == "" && strings.Contains(uri, "debian"):
			m.Archive = uri
		case s.suite == codename+"-security" && m.Security == "":
			m.Security = uri
		}
	}
	if m.Archive == "" {
		return m, errors.New("no http source of the Debian release " + codename +
			" in /etc/apt/sources.list or /etc/apt/sources.list.d; the lab builds its hosts from the machine's own Debian mirror")
	}
	return m, nil
}

// reachOptions keeps, from apt-config's dump, what a host behind this machine needs too.
func reachOptions(dump string) []string {
	var options []string
	for line := range strings.Lines(dump) {
		line = strings.TrimSuffix(strings.TrimSpace(line), ";")
		key, _, _ := strings.Cut(line, " ")
		switch key {
		case "Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until", "Acquire::Check-Date":
			options = append(options, line)
		}
	}
	return options
}

// SourcesList is apt's one-line sources for a Debian suite ("trixie"), its updates and its
// security fixes on this mirror.
func (m Mirror) SourcesList(suite string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "deb %s %s main\n", m.Archive, suite)
	fmt.Fprintf(&b, "deb %s %s-updates main\n", m.Archive, suite)
	if m.Security != "" {
		fmt.Fprintf(&b, "deb %s %s-security main\n", m.Security, suite)
	}
	return b.String()
}

// AptConf is the mirror's options in the form of a file under /etc/apt/apt.conf.d.
func (m Mirror) AptConf() string {
	var b strings.Builder
	for _, o := range m.Options {
		b.WriteString(o + ";\n")
	}
	return b.String()
}
