package engine

import (
	"os/exec"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChooseMirror(t *testing.T) {
	tests := map[string]struct {
		path, text, codename string
		want                 Mirror
	}{
		"deb822, as Debian 12 and 13 install it": {
			"debian.sources", `Types: deb
# a comment inside a stanza
URIs: http://mirror.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.example/debian-security/
Suites: trixie-security
Components: main contrib
`, "trixie",
			Mirror{Archive: "http://mirror.example/debian", Security: "http://mirror.example/debian-security"},
		},
		"one line, with options and comments": {
			"sources.list", `# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://mirror.example/debian/ bookworm main contrib # ours
deb-src http://mirror.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
`, "bookworm",
			Mirror{Archive: "https://mirror.example/debian", Security: "http://security.example/debian-security"},
		},
		"third parties are passed over": {
			"sources.list", `deb https://packages.example/debian bookworm stable
deb https://packages.example/cloud cloud-bookworm main
deb http://packages.example/other bookworm main
deb http://mirror.example/debian bookworm main
`, "bookworm",
			Mirror{Archive: "http://mirror.example/debian"},
		},
		"several URIs, folded lines and a source that is off": {
			"debian.sources", `Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
Enabled: no

Types: deb
URIs:
 http://first.example/debian
 http://second.example/debian
Suites: trixie
Components: main
`, "trixie",
			Mirror{Archive: "http://first.example/debian"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := chooseMirror(parseSources(test.path, test.text), test.codename)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestChooseMirrorNamesWhatItLookedFor(t *testing.T) {
	_, err := chooseMirror(parseOneLine("deb cdrom:[Debian] trixie main\n"), "trixie")
	want := "no http source of the Debian release trixie in /etc/apt/sources.list or /etc/apt/sources.list.d; the lab builds its hosts from the machine's own Debian mirror"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestReachOptions(t *testing.T) {
	dump := `APT "";
Acquire "";
Acquire::http::Proxy "http://10.0.0.1:3142";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
`
	want := []string{`Acquire::http::Proxy "http://10.0.0.1:3142"`, `Acquire::Check-Valid-Until "false"`}
	got := reachOptions(dump)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	conf := Mirror{Options: got}.AptConf()
	if want := "Acquire::http::Proxy \"http://10.0.0.1:3142\";\nAcquire::Check-Valid-Until \"false\";\n"; conf != want {
		t.Errorf("got %q, want %q", conf, want)
	}
}

func TestSourcesList(t *testing.T) {
	got := Mirror{Archive: "http://a/debian", Security: "http://a/debian-security"}.SourcesList("bullseye")
	want := `deb http://a/debian bullseye main
deb http://a/debian bullseye-updates main
deb http://a/debian-security bullseye-security main
`
	if got != want {
		t.Errorf("got %s", got)
	}
}

func TestMissingPackages(t *testing.T) {
	tests := map[string]struct {
		version string
		have    []string
		want    []string
	}{
		"a bare Debian 13": {"13", nil, []string{"docker.io", "containerd", "docker-cli", "iptables", "mmdebstrap", "openssh-client"}},
		"a bare Debian 12": {"12", nil, []string{"docker.io", "containerd", "iptables", "mmdebstrap", "openssh-client"}},
		"Docker's own packages are kept": {
			"12", []string{"dockerd", "containerd", "docker", "iptables", "ssh"}, []string{"mmdebstrap"}},
		"all there": {"13", []string{"dockerd", "containerd", "docker", "iptables", "ssh", "mmdebstrap"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := missingPackages(test.version, func(program string) (string, error) {
				if slices.Contains(test.have, program) {
					return "/usr/bin/" + program, nil
				}
				return "", exec.ErrNotFound
			})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseOSRelease(t *testing.T) {
	got := parseOSRelease("# c\nID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME='Debian 12'\n\n")
	if diff := cmp.Diff(map[string]string{"ID": "debian", "VERSION_ID": "12", "PRETTY_NAME": "Debian 12"}, got); diff != "" {
		t.Error(diff)
	}
}
