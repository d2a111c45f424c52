package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func (ld *loader) decodeSSH() {
	ld.inv.SSH.HostKeys = "known_hosts"
	for _, b := range ld.blocks["ssh"] {
		ld.inv.SSH = SSH{
			User:         b.user(),
			Port:         b.integer("port", 0, 1, 65535),
			Identity:     b.identity(),
			HostKeys:     b.choice("host_keys", "known_hosts", "known_hosts", "accept-new", "ec2"),
			KnownHosts:   b.path("known_hosts"),
			Jump:         b.jump(),
			Config:       b.path("config"),
			SudoPassword: b.secret("sudo_password"),
			DialTimeout:  b.duration("dial_timeout"),

			InstanceConnect: b.boolean("instance_connect"),
		}
		if ld.inv.SSH.InstanceConnect && !b.has("user") {
			b.ld.errorAt(b.place("instance_connect"), "Whose key?", `EC2 Instance Connect lets a key log in as one user. Write user = "ec2-user" beside it.`)
		}
		if ld.inv.SSH.Config != "" {
			b.checkReadable("config", ld.inv.SSH.Config)
		}
	}
}

// userName is what sshd and sudo take, and what ssh's user@host can be told by.
var userName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,31}$`)

func (b *block) user() string {
	return b.pattern("user", userName, `the name of an account on the hosts, such as "ec2-user"`)
}

// jump reads a bastion, or several that are passed in turn.
func (b *block) jump() string {
	s := b.text("jump")
	if s == "" {
		return ""
	}
	for hop := range strings.SplitSeq(s, ",") {
		user, host, ok := strings.Cut(hop, "@")
		if !ok {
			user, host = "root", hop
		}
		host, _ = splitPort(host)
		if !userName.MatchString(user) || addressProblem(host) != "" {
			b.ld.errorAt(b.place("jump"), fmt.Sprintf("Invalid jump %q", s), `Write [user@]host[:port], such as "admin@bastion.example.com", as ssh's ProxyJump takes it.`)
			return ""
		}
	}
	return s
}

// path reads the path of a file on this machine: relative to the inventory's
// folder, and ~ is the home folder.
func (b *block) path(arg string) string {
	s := b.text(arg)
	if s == "" {
		return ""
	}
	return localPath(b.ld.inv.Dir, b.ld.env, s)
}

func localPath(dir string, env func(string) (string, bool), path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, ok := env("HOME"); ok && home != "" {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// identity reads the path of a private key. One that is written out is not
// shown again.
func (b *block) identity() string {
	if strings.Contains(b.text("identity"), "PRIVATE KEY-----") {
		b.ld.errorAt(at(b.attr("identity").NameRange), "A private key in the inventory",
			`identity is the path of a file with the key, such as "~/.ssh/id_ed25519". Whoever has read this file has the key now.`)
		return ""
	}
	path := b.path("identity")
	if path != "" {
		b.checkReadable("identity", path)
	}
	return path
}

// checkReadable warns about a file that is not there. It is no error, because
// an inventory may be checked on another machine than it is applied from.
func (b *block) checkReadable(arg, path string) {
	if _, err := os.Stat(path); err != nil {
		hint := "Relative paths start from the inventory's folder."
		if strings.Contains(path, "$") {
			hint = `The shell's variables mean nothing here: write "~/…", or "${env("NAME")}/…".`
		}
		b.ld.warnAt(b.place(arg), "No such "+arg+" file", "%v. %s", err, hint)
	}
}
