package inventory

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

var logSize = regexp.MustCompile(`^[1-9][0-9]*[kmg]?$`)

// computedSettings are keys of daemon.json that have arguments of their own.
var computedSettings = map[string]string{
	"registry-mirrors":    "registry_mirrors",
	"insecure-registries": "insecure_registries",
}

func (ld *loader) decodeDocker() {
	ld.inv.Docker = Docker{LogMaxSize: "50m", LogMaxFile: 3}
	for _, b := range ld.blocks["docker"] {
		d := Docker{
			RegistryMirrors:    b.texts("registry_mirrors", `["https://mirror.example.com"]`, b.mirror),
			InsecureRegistries: b.texts("insecure_registries", `["registry.example.com:5000"]`, b.insecureRegistry),
			LogMaxSize:         b.logMaxSize(),
			LogMaxFile:         b.integer("log_max_file", 3, 1, 1000),
			Settings:           b.settings(),
			Range:              b.header(),
		}
		if b.choosesLogging(d.Settings) {
			d.LogMaxSize, d.LogMaxFile = "", 0
		}
		ld.inv.Docker = d
	}
}

// mirror checks a registry mirror by the Engine's own rules: it refuses to
// start with one that it does not like.
func (b *block) mirror(s string, p place) (string, bool) {
	u, err := url.Parse(s)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		b.ld.errorAt(p, fmt.Sprintf("Invalid registry mirror %q", s), `Write it with its scheme: "https://mirror.example.com" or "http://10.0.0.1:5000".`)
	case u.User != nil:
		b.ld.errorAt(p, "Password in a registry mirror", "The Engine takes no user or password in a mirror's address. Write %q.", u.Scheme+"://"+u.Host)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		b.ld.errorAt(p, fmt.Sprintf("Path in registry mirror %q", s), "The Engine takes a mirror without a path. Write %q.", u.Scheme+"://"+u.Host)
	default:
		return s, true
	}
	return "", false
}

func (b *block) insecureRegistry(s string, p place) (string, bool) {
	if _, err := netip.ParsePrefix(s); err == nil {
		return s, true
	}
	host := s
	if h, port, err := net.SplitHostPort(s); err == nil {
		if n, err := strconv.Atoi(port); err == nil && n > 0 && n < 65536 {
			host = h
		}
	}
	if problem := addressProblem(host); problem != "" {
		b.ld.errorAt(p, fmt.Sprintf("Invalid registry %q", s), `Write its name and port, such as "registry.example.com:5000", or a CIDR; without http://.`)
		return "", false
	}
	return s, true
}

func (b *block) logMaxSize() string {
	s := b.text("log_max_size")
	if s == "" {
		return "50m"
	}
	if !logSize.MatchString(s) {
		b.ld.errorAt(b.place("log_max_size"), fmt.Sprintf("Invalid size %q", s), `Write a number and its unit: k, m or g, such as "50m".`)
		return "50m"
	}
	return s
}

// settings reads further keys of daemon.json, as the types that encoding/json
// gives them.
func (b *block) settings() map[string]any {
	settings := map[string]any{}
	for _, entry := range b.pairs("settings", `{ "default-shm-size" = "128M" }`) {
		if b.refusedSetting(entry) {
			continue
		}
		v, ok := b.ld.shown(entry.value, entry.place, "settings")
		if !ok {
			continue
		}
		if plain, ok := b.plainJSON(v, entry.place); ok {
			settings[entry.key] = plain
		}
	}
	return settings
}

// refusedSetting reports a key that would break the swarm or contradict
// another argument.
func (b *block) refusedSetting(entry pair) bool {
	arg, computed := computedSettings[entry.key]
	switch {
	case computed:
		b.ld.errorAt(entry.place, fmt.Sprintf("%s has an argument of its own", entry.key), "Write %s in the docker block instead of in settings.", arg)
	case entry.key == "live-restore" && !isFalse(entry.value):
		b.ld.errorAt(entry.place, "live-restore cannot be used", "The Engine refuses to be in a swarm with live-restore. Remove it: swarm restarts tasks elsewhere while an Engine is away.")
	case entry.key == "hosts":
		b.ld.errorAt(entry.place, "hosts cannot be set", "The system's docker.service already says where the Engine listens, and with both it does not start. rmqprov reaches it through SSH; remove it.")
	default:
		return false
	}
	return true
}

func isFalse(v cty.Value) bool {
	v, _ = v.Unmark()
	return v.IsKnown() && !v.IsNull() && v.Type() == cty.Bool && v.False()
}

func (b *block) plainJSON(v cty.Value, p place) (any, bool) {
	text, err := ctyjson.Marshal(v, v.Type())
	var plain any
	if err == nil {
		err = json.Unmarshal(text, &plain)
	}
	if err != nil {
		b.ld.errorAt(p, "Not a value for daemon.json", "It cannot be written as JSON: %v.", err)
		return nil, false
	}
	return plain, true
}

// choosesLogging reports whether the settings choose how containers log, which
// leaves nothing for log_max_size and log_max_file.
func (b *block) choosesLogging(settings map[string]any) bool {
	_, driver := settings["log-driver"]
	_, opts := settings["log-opts"]
	if !driver && !opts {
		return false
	}
	for _, arg := range []string{"log_max_size", "log_max_file"} {
		if b.has(arg) {
			b.ld.errorAt(b.place(arg), fmt.Sprintf("%s beside log settings", arg), "settings already choose the log driver or its options. Write the limit there, in log-opts, or remove those from settings.")
		}
	}
	return true
}
