package inventory

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

var logSize = regexp.MustCompile(`^[1-9][0-9]*[kmg]?$`)

// computedSettings are keys of daemon.json that have arguments of their own.
var computedSettings = map[string]string{
	"registry-mirrors":    "registry_mirrors",
	"insecure-registries": "insecure_registries",
}

// engineSettings are the keys of daemon.json, from Docker 20.10 to 29.
var engineSettings = strings.Fields(`
	allow-direct-routing allow-nondistributable-artifacts api-cors-header authorization-plugins bip bip6 bridge
	bridge-accept-fwmark builder cdi-spec-dirs cgroup-parent containerd containerd-namespace
	containerd-plugins-namespace data-root debug default-address-pools default-cgroupns-mode default-gateway
	default-gateway-v6 default-ipc-mode default-network-opts default-runtime default-shm-size default-ulimits dns
	dns-opts dns-search exec-opts exec-root experimental features firewall-backend fixed-cidr fixed-cidr-v6 group
	host-gateway-ip host-gateway-ips http-proxy https-proxy icc init init-path ip ip-forward ip-forward-no-drop
	ip-masq ip6tables iptables ipv6 labels live-restore log-driver log-format log-level log-opts
	max-concurrent-downloads max-concurrent-uploads max-download-attempts metrics-addr min-api-version mtu
	network-control-plane-mtu network-diagnostic-port no-new-privileges no-proxy node-generic-resources
	oom-score-adjust pidfile proxies raw-logs runtimes seccomp-profile selinux-enabled shutdown-timeout
	storage-driver storage-opts swarm-default-advertise-addr tls tlscacert tlscert tlskey tlsverify userland-proxy
	userland-proxy-path userns-remap`)

func (ld *loader) decodeDocker() {
	ld.inv.Docker = Docker{LogMaxSize: "50m", LogMaxFile: 3}
	for _, b := range ld.blocks["docker"] {
		ld.inv.Docker = Docker{
			RegistryMirrors:    b.texts("registry_mirrors", `["https://mirror.example.com"]`, b.mirror),
			InsecureRegistries: b.texts("insecure_registries", `["registry.example.com:5000"]`, b.insecureRegistry),
			LogMaxSize:         b.logMaxSize(),
			LogMaxFile:         b.integer("log_max_file", 3, 1, 1000),
			Settings:           b.settings(),
			Range:              b.header(),
		}
		b.checkLogging()
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
	host, _ := splitPort(s)
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
	entries := b.pairs("settings", `{ "default-shm-size" = "128M" }`)
	for _, entry := range entries {
		if b.refusedSetting(entry, keepsFiles(entries)) {
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
func (b *block) refusedSetting(entry pair, keepsFiles bool) bool {
	arg, computed := computedSettings[entry.key]
	switch {
	case computed:
		b.ld.errorAt(entry.place, fmt.Sprintf("%s has an argument of its own", entry.key), "Write %s in the docker block instead of in settings.", arg)
	case entry.key == "live-restore" && !isFalse(entry.value):
		b.ld.errorAt(entry.place, "live-restore cannot be used", "The Engine refuses to be in a swarm with live-restore. Remove it: swarm restarts tasks elsewhere while an Engine is away.")
	case entry.key == "hosts":
		b.ld.errorAt(entry.place, "hosts cannot be set", "The system's docker.service already says where the Engine listens, and with both it does not start. rmqprov reaches it through SSH; remove it.")
	case entry.key == "log-opts" && keepsFiles:
		b.ld.errorAt(entry.place, "log-opts has arguments of its own", "Write log_max_size and log_max_file in the docker block instead. Options of another log driver may stand here beside its log-driver.")
	default:
		b.checkSettingName(entry)
		return false
	}
	return true
}

// checkSettingName warns about keys that no Engine known here has: dockerd
// refuses to start with a key that it does not know.
func (b *block) checkSettingName(entry pair) {
	if slices.Contains(engineSettings, entry.key) {
		return
	}
	hint := ""
	if near := nearest(entry.key, engineSettings); near != "" {
		hint = fmt.Sprintf(" Did you mean %q?", near)
	}
	b.ld.warnAt(entry.place, fmt.Sprintf("Unknown setting %q", entry.key), "An Engine does not start with a key in daemon.json that it does not know.%s", hint)
}

// keepsFiles reports whether the settings leave the Engine with a log driver
// that writes files, which log_max_size and log_max_file bound.
func keepsFiles(settings []pair) bool {
	for _, entry := range settings {
		if v, _ := entry.value.UnmarkDeep(); entry.key == "log-driver" && v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
			return v.AsString() == "json-file" || v.AsString() == "local"
		}
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

// checkLogging reports limits of logs that would have no effect.
func (b *block) checkLogging() {
	driver, _ := b.ld.inv.Docker.Settings["log-driver"].(string)
	if driver == "" || driver == "json-file" || driver == "local" {
		return
	}
	for _, arg := range []string{"log_max_size", "log_max_file"} {
		if b.has(arg) {
			b.ld.errorAt(b.place(arg), fmt.Sprintf("%s has no effect", arg), "It bounds the log files of the Engine, and settings choose the driver %q, which keeps none. Remove one of the two.", driver)
		}
	}
}
