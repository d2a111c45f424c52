package remote

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kevinburke/ssh_config"
)

const (
	defaultPort        = 22
	defaultDialTimeout = 10 * time.Second
)

// settings is a Target after ssh_config and the defaults have filled it.
type settings struct {
	name  string // how the operator calls the host
	alias string // what is looked up in ssh_config
	host  string
	port  int
	user  string

	identities     []string // key files, in the order they are offered
	explicit       bool     // the inventory names the key: it must exist
	identitiesOnly bool     // keys of the agent only when named above
	agent          string   // the agent's socket, or ""

	keyName     string // what known_hosts calls the host: host or [host]:port
	policy      HostKeyPolicy
	knownHosts  []string // new keys go to the first
	systemHosts []string
	hashNames   bool

	jump    string
	timeout time.Duration
}

func (s settings) address() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// who names the host in errors: "node-1 (ec2-user@10.78.0.11:22)".
func (s settings) who() string {
	at := s.user + "@" + s.address()
	if s.name == "" || s.name == s.host {
		return at
	}
	return s.name + " (" + at + ")"
}

// resolve fills what t leaves open.
func resolve(t Target) (settings, error) {
	alias := strings.Trim(cmp.Or(t.Address, t.Name), "[]")
	if alias == "" {
		return settings{}, errors.New("a host without a name and an address cannot be reached")
	}
	config, err := readConfig(t.ConfigFile)
	if err != nil {
		return settings{}, fmt.Errorf("%s: reading the SSH configuration: %w", t.title(), err)
	}
	r := resolver{target: t, alias: alias, config: config}
	r.place()
	r.keys()
	r.trust()
	if r.err != nil {
		return settings{}, fmt.Errorf("%s: ssh_config for %q: %w", t.title(), alias, r.err)
	}
	return r.out, nil
}

// resolver collects settings; the first error stays.
type resolver struct {
	target Target
	alias  string
	config *ssh_config.Config
	out    settings
	err    error
}

func (r *resolver) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *resolver) get(key string) string {
	v, err := r.config.Get(r.alias, key)
	if err != nil {
		r.fail(fmt.Errorf("%s: %w", key, err))
	}
	return v
}

func (r *resolver) yes(key string) bool { return strings.EqualFold(r.get(key), "yes") }

// place finds where the host is and on which way.
func (r *resolver) place() {
	t, s := r.target, &r.out
	s.name, s.alias = t.Name, r.alias
	s.host = cmp.Or(r.hostName(), r.alias)
	s.port = cmp.Or(t.Port, r.number("Port"), defaultPort)
	s.user = cmp.Or(t.User, r.get("User"), localUser())
	s.timeout = cmp.Or(t.DialTimeout, time.Duration(r.number("ConnectTimeout"))*time.Second, defaultDialTimeout)
	s.jump = cmp.Or(t.Jump, r.expand(r.get("ProxyJump")))
	if strings.EqualFold(s.jump, "none") {
		s.jump = ""
		return
	}
	if command := r.get("ProxyCommand"); s.jump == "" && command != "" && !strings.EqualFold(command, "none") {
		r.fail(errors.New("ProxyCommand is not supported: say ProxyJump there, or set the jump host in the inventory"))
	}
}

func (r *resolver) hostName() string {
	name := r.get("HostName")
	if !strings.Contains(name, "%") { // making a Replacer costs more than the rest
		return name
	}
	return strings.NewReplacer("%%", "%", "%h", r.alias).Replace(name)
}

func (r *resolver) number(key string) int {
	v := r.get(key)
	if v == "" {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		r.fail(fmt.Errorf("%s %q is not a number", key, v))
	}
	return n
}

// keys finds what to log in with.
func (r *resolver) keys() {
	t, s := r.target, &r.out
	s.agent = r.agentSocket()
	s.identitiesOnly = r.yes("IdentitiesOnly")
	if t.Identity != "" {
		s.identities, s.explicit, s.identitiesOnly = []string{expandHome(t.Identity)}, true, true
		return
	}
	files, err := r.config.GetAll(r.alias, "IdentityFile")
	if err != nil {
		r.fail(fmt.Errorf("IdentityFile: %w", err))
	}
	for _, f := range files {
		if !strings.EqualFold(f, "none") {
			s.identities = append(s.identities, r.path(f))
		}
	}
	if len(files) > 0 {
		return
	}
	if t.hopIdentity != "" {
		s.identities = append(s.identities, expandHome(t.hopIdentity))
	}
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		s.identities = append(s.identities, expandHome("~/.ssh/"+name))
	}
}

func (r *resolver) agentSocket() string {
	switch v := r.get("IdentityAgent"); {
	case strings.EqualFold(v, "none"):
		return ""
	case v == "" || v == "SSH_AUTH_SOCK":
		return os.Getenv("SSH_AUTH_SOCK")
	case strings.HasPrefix(v, "$"):
		return os.ExpandEnv(v)
	default:
		return r.path(v)
	}
}

// trust finds which host keys are believed.
func (r *resolver) trust() {
	t, s := r.target, &r.out
	s.keyName = keyName(cmp.Or(r.get("HostKeyAlias"), s.host), s.port, r.get("HostKeyAlias") != "")
	s.policy = cmp.Or(t.HostKeys, r.policy())
	if s.policy != KnownHosts && s.policy != AcceptNew {
		r.fail(fmt.Errorf("host key policy %q is neither %q nor %q", s.policy, KnownHosts, AcceptNew))
	}
	s.hashNames = r.yes("HashKnownHosts")
	s.knownHosts = r.paths(cmp.Or(r.get("UserKnownHostsFile"), "~/.ssh/known_hosts ~/.ssh/known_hosts2"))
	s.systemHosts = r.paths(cmp.Or(r.get("GlobalKnownHostsFile"), "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"))
	if t.KnownHosts != "" {
		s.knownHosts, s.systemHosts = []string{expandHome(t.KnownHosts)}, nil
	}
}

// policy reads StrictHostKeyChecking. Where OpenSSH would connect to a host
// whose key has changed ("no", "off"), a new key is accepted, a changed one not.
func (r *resolver) policy() HostKeyPolicy {
	switch strings.ToLower(r.get("StrictHostKeyChecking")) {
	case "accept-new", "no", "off":
		return AcceptNew
	}
	return KnownHosts
}

func (r *resolver) paths(list string) []string {
	var out []string
	for _, f := range strings.Fields(list) {
		if f = strings.Trim(f, `"`); !strings.EqualFold(f, "none") {
			out = append(out, r.path(f))
		}
	}
	return out
}

func (r *resolver) path(v string) string { return expandHome(os.ExpandEnv(r.expand(v))) }

// expand replaces the percent tokens of ssh_config that have a meaning here.
func (r *resolver) expand(v string) string {
	if !strings.Contains(v, "%") {
		return v
	}
	return strings.NewReplacer("%%", "%", "%h", r.out.host, "%n", r.alias, "%p", strconv.Itoa(r.out.port),
		"%r", r.out.user, "%u", localUser(), "%d", expandHome("~"), "%i", strconv.Itoa(os.Getuid())).Replace(v)
}

// keyName is the name under which known_hosts has a host. An alias stands for
// itself, whatever the port.
func keyName(host string, port int, alias bool) string {
	host = strings.ToLower(host)
	if port == defaultPort || alias {
		return host
	}
	return "[" + host + "]:" + strconv.Itoa(port)
}

func localUser() string {
	u, err := user.Current()
	if err != nil {
		return cmp.Or(os.Getenv("USER"), "root")
	}
	return u.Username
}

func expandHome(path string) string {
	if path != "~" && !strings.HasPrefix(path, "~/") {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, strings.TrimPrefix(path, "~"))
}
