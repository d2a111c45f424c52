package remote

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// home makes a home folder with an SSH configuration and moves there.
func home(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, ".ssh"), 0o700))
	for name, text := range files {
		must(t, os.WriteFile(filepath.Join(dir, ".ssh", name), []byte(text), 0o600))
	}
	t.Setenv("HOME", dir)
	t.Setenv("SSH_AUTH_SOCK", "/agent")
	return dir
}

func TestResolve(t *testing.T) {
	dir := home(t, map[string]string{
		"config": `
User everyone                             # before any Host: for all
Include extra-*
Host alias
	HostName %h.example.com
	Port=2222
	IdentityFile ~/.ssh/%r_key
	IdentityFile "~/.ssh/second key"
	UserKnownHostsFile ~/.ssh/kh1 ~/.ssh/kh2
	StrictHostKeyChecking accept-new
	IdentitiesOnly yes
	ConnectTimeout 3
Match user somebody exec "false"
	User wrong
Match final all
	Port 1
Match host 10.0.*,172.16.*
	ProxyJump me@bastion:2200,inner
Host named	tabbed
	HostKeyAlias Known-As
	Port 2222
	IdentityAgent none
	IdentityFile none
Host *
	User late
`,
		"extra-a": "Host included\n\tUser from-include\nHost other\n\tUser no\n",
	})
	at := func(name string) string { return filepath.Join(dir, ".ssh", name) }
	defaults := []string{at("id_ed25519"), at("id_ecdsa"), at("id_rsa")}
	tests := []struct {
		name   string
		target Target
		want   settings
	}{
		{"defaults", Target{Address: "10.1.0.1"}, settings{host: "10.1.0.1", port: 22, user: "everyone", identities: defaults, agent: "/agent",
			keyName: "10.1.0.1", policy: KnownHosts, knownHosts: []string{at("known_hosts"), at("known_hosts2")}, timeout: 10 * time.Second}},
		{"alias", Target{Name: "alias"}, settings{name: "alias", host: "alias.example.com", port: 2222, user: "everyone",
			identities: []string{at("everyone_key"), at("second key")}, identitiesOnly: true, agent: "/agent", keyName: "[alias.example.com]:2222",
			policy: AcceptNew, knownHosts: []string{at("kh1"), at("kh2")}, timeout: 3 * time.Second}},
		{"the target goes first", Target{Name: "n", Address: "alias", User: "me", Port: 7, Identity: "/key", HostKeys: KnownHosts, KnownHosts: "/kh", DialTimeout: time.Second},
			settings{name: "n", host: "alias.example.com", port: 7, user: "me", identities: []string{"/key"}, explicit: true, identitiesOnly: true,
				agent: "/agent", keyName: "[alias.example.com]:7", policy: KnownHosts, knownHosts: []string{"/kh"}, timeout: time.Second}},
		{"jump", Target{Address: "10.0.3.4"}, settings{host: "10.0.3.4", port: 22, user: "everyone", identities: defaults, agent: "/agent", keyName: "10.0.3.4",
			policy: KnownHosts, knownHosts: []string{at("known_hosts"), at("known_hosts2")}, jump: "me@bastion:2200,inner", timeout: 10 * time.Second}},
		{"no jump", Target{Address: "10.0.3.4", Jump: "none"}, settings{host: "10.0.3.4", port: 22, user: "everyone", identities: defaults, agent: "/agent", keyName: "10.0.3.4",
			policy: KnownHosts, knownHosts: []string{at("known_hosts"), at("known_hosts2")}, timeout: 10 * time.Second}},
		{"tabs and aliases", Target{Address: "tabbed"}, settings{host: "tabbed", port: 2222, user: "everyone", keyName: "known-as",
			policy: KnownHosts, knownHosts: []string{at("known_hosts"), at("known_hosts2")}, timeout: 10 * time.Second}},
		{"IPv6", Target{Address: "[2001:DB8::1]", Port: 23, User: "u", KnownHosts: "/kh"}, settings{host: "2001:DB8::1", port: 23, user: "u", identities: defaults,
			agent: "/agent", keyName: "[2001:db8::1]:23", policy: KnownHosts, knownHosts: []string{"/kh"}, timeout: 10 * time.Second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.target.ConfigFile = "~/.ssh/config"
			got, err := resolve(tt.target)
			must(t, err)
			got.systemHosts, got.alias = nil, ""
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(settings{})); diff != "" {
				t.Errorf("want-, got+\n%s", diff)
			}
		})
	}
}

func TestTheUsersConfigGoesBeforeTheSystems(t *testing.T) {
	home(t, map[string]string{"config": "Host a\n\tUser mine\n"})
	got, err := resolve(Target{Address: "a"})
	if err != nil || got.user != "mine" || !slices.Contains(got.systemHosts, "/etc/ssh/ssh_known_hosts") {
		t.Errorf("%+v %v", got, err)
	}
}

func TestResolveErrors(t *testing.T) {
	dir := home(t, map[string]string{"config": "Host proxied\n\tProxyCommand nc %h %p\nHost badport\n\tPort http\n", "loop": "Include loop\n"})
	for _, tt := range []struct {
		name   string
		target Target
		want   string
	}{
		{"no address", Target{}, "without a name and an address"},
		{"ProxyCommand", Target{Address: "proxied"}, "ProxyCommand is not supported: say ProxyJump"},
		{"port", Target{Name: "n", Address: "badport"}, `n: ssh_config for "badport": Port "http" is not a number`},
		{"policy", Target{Address: "a", HostKeys: "never"}, `host key policy "never" is neither`},
		{"no such file", Target{Address: "a", ConfigFile: "/no/such/config"}, "reading the SSH configuration"},
		{"loop", Target{Address: "a", ConfigFile: filepath.Join(dir, ".ssh", "loop")}, "include each other"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := resolve(tt.target); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Error(err)
			}
		})
	}
}
