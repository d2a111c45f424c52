package inventory

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	fileMode = regexp.MustCompile(`^0?[0-7]{3}$`)
	account  = regexp.MustCompile(`^([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})$`)
	unitName = regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]{1,255}$`)
)

func (ld *loader) decodeFiles() {
	names := map[string]*block{}
	for _, b := range ld.blocks["file"] {
		if earlier := names[b.name]; earlier != nil {
			b.file()
			ld.errorAt(b.label(), fmt.Sprintf("Duplicate file %q", b.name), "The name is taken at %s. Rename one of the two, or remove it.", where(earlier.header()))
			continue
		}
		names[b.name] = b
		ld.inv.Files = append(ld.inv.Files, b.file())
	}
}

func (b *block) file() File {
	return File{
		Name:    b.name,
		Path:    b.remotePath(),
		Content: b.fileContent(),
		Hosts:   b.fileHosts(),
		Mode:    b.mode(),
		Owner:   b.account("owner"),
		Group:   b.account("group"),
		Restart: b.texts("restart", `["nginx.service"]`, b.unit),
		Range:   b.header(),
	}
}

// remotePath reads where the file goes. What rmqprov writes itself is refused:
// the two would take turns.
func (b *block) remotePath() string {
	s := b.requiredText("path", `"/etc/motd"`)
	p := b.place("path")
	switch {
	case s == "":
	case !path.IsAbs(s):
		b.ld.errorAt(p, fmt.Sprintf("Path %q is not absolute", s), "It is the place on the hosts: write %q, or what it is there.", "/"+strings.TrimPrefix(s, "./"))
	case path.Clean(s) != s:
		b.ld.errorAt(p, fmt.Sprintf("Path %q is not clean", s), "Write %q.", path.Clean(s))
	case s == "/etc/docker/daemon.json":
		b.ld.errorAt(p, "daemon.json is written by rmqprov", "Write its keys in the docker block, in settings = { … }.")
	case s == "/etc/rmqprov" || strings.HasPrefix(s, "/etc/rmqprov/"):
		b.ld.errorAt(p, "/etc/rmqprov is rmqprov's own", "Choose another place.")
	default:
		return s
	}
	return ""
}

// fileContent reads the content from source or content, of which a file has
// one.
func (b *block) fileContent() []byte {
	switch source, content := b.has("source"), b.has("content"); {
	case source && content:
		b.ld.errorAt(b.place("content"), "Both source and content", "source is the path of a file here, content the text itself. Keep one of them.")
	case source:
		return b.sourceContent()
	case content:
		return []byte(b.secret("content"))
	default:
		b.ld.errorAt(at(b.header()), "Missing source or content", "Write source = \"files/motd\" for a file beside the inventory, or content = \"…\" for the text itself.")
	}
	return nil
}

func (b *block) sourceContent() []byte {
	name := b.requiredText("source", `"files/motd"`)
	if name == "" {
		return nil
	}
	content, err := b.ld.read(name)
	if err != nil {
		b.ld.errorAt(b.place("source"), fmt.Sprintf("Cannot read %q", name), "%v. Relative paths start from the inventory's folder.", err)
		return nil
	}
	return content
}

// fileHosts reads the hosts of a file, by name or as host["NAME"]. Names that
// are not in the inventory may be those of discovered hosts.
func (b *block) fileHosts() []string {
	var names []string
	for _, e := range b.elements("hosts", `["node-1"]`) {
		v := e.value
		if ty := v.Type(); ty.IsObjectType() && ty.HasAttribute("address") && ty.HasAttribute("name") {
			v = v.GetAttr("name")
		}
		if !v.Type().IsPrimitiveType() {
			b.ld.wrongType(e.place, "an entry of hosts", `a host, such as "node-1"`, v)
			continue
		}
		name, ok := b.ld.asText(v, e.place, "hosts")
		if known := b.ld.members("host"); ok && !slices.Contains(known, name) && len(b.ld.blocks["discover"]) == 0 {
			b.ld.errorAt(e.place, fmt.Sprintf("Unknown host %q", name), "There is no host %q.%s", name, suggest(name, known, "%q"))
			continue
		}
		if ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// mode reads the file's permissions: digits in a string, as chmod takes them.
func (b *block) mode() fs.FileMode {
	s := b.text("mode")
	if s == "" {
		return 0o644
	}
	if !fileMode.MatchString(s) {
		b.ld.errorAt(b.place("mode"), fmt.Sprintf("Invalid mode %q", s), `Write the octal digits in quotes, such as "0644" or "0600".`)
		return 0o644
	}
	bits, _ := strconv.ParseUint(s, 8, 32)
	return fs.FileMode(bits)
}

func (b *block) account(arg string) string {
	return cmp.Or(b.pattern(arg, account, `the name or number of an account on the hosts, such as "root" or "999"`), "root")
}

func (b *block) unit(s string, p place) (string, bool) {
	if !unitName.MatchString(s) || strings.HasPrefix(s, "-") {
		b.ld.errorAt(p, fmt.Sprintf("Invalid unit %q", s), `Write the name of a systemd unit, such as "nginx.service".`)
		return "", false
	}
	return s, true
}

// checkFiles reports two files with one path on the same host.
func (ld *loader) checkFiles() {
	for i, f := range ld.inv.Files {
		for _, other := range ld.inv.Files[:i] {
			if f.Path == "" || f.Path != other.Path || !meet(f.Hosts, other.Hosts) {
				continue
			}
			ld.errorAt(at(f.Range), fmt.Sprintf("Duplicate path %s", f.Path), "File %q has the same path on the same host at %s. Keep one of the two, or give them different hosts.", other.Name, where(other.Range))
		}
	}
}

// meet reports whether two lists of hosts have one in common; empty is all.
func meet(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	return slices.ContainsFunc(a, func(name string) bool { return slices.Contains(b, name) })
}
