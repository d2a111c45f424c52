package remote

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSudo reads its password as sudo does, a byte at a time and only when it
// asks; the file "password" beside it makes it ask, "refuse" is its refusal.
const fakeSudo = `#!/bin/sh
here=${0%/*} n= S=
while :; do
	case $1 in
	-n) n=1 ;; -S) S=1 ;; -k) ;; -p) shift ;; --) shift; break ;; *) break ;;
	esac
	shift
done
if [ -f "$here/refuse" ]; then cat "$here/refuse" >&2; exit 1; fi
if [ -f "$here/password" ]; then
	[ -n "$n" ] && { echo "sudo: a password is required" >&2; exit 1; }
	tries=0
	while IFS= read -r p; do
		[ "$p" = "$(cat "$here/password")" ] && { UNDER_SUDO=1 exec "$@"; }
		tries=$((tries + 1)); echo "Sorry, try again." >&2
		[ $tries = 3 ] && break
	done
	echo "sudo: $tries incorrect password attempt" >&2; exit 1
fi
UNDER_SUDO=1 exec "$@"
`

func TestSudo(t *testing.T) {
	checkLeaks(t)
	for _, tt := range []struct{ name, wanted, given string }{
		{"without a password", "", ""},
		{"with a password", "open sesame", "open sesame"},
		{"with a password that is not asked for", "", "open sesame"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.shell("bash")
			s.standIn("sudo", fakeSudo)
			if tt.wanted != "" {
				must(t, os.WriteFile(filepath.Join(s.bin, "password"), []byte(tt.wanted), 0o600))
			}
			target := s.target()
			target.SudoPassword = tt.given
			h := NewHost(target)
			defer h.Close()
			for _, c := range []Command{
				{Script: `echo "$UNDER_SUDO"; cat`, Stdin: strings.NewReader("data\n")},
				{Argv: []string{"sh", "-c", `echo "$UNDER_SUDO"; cat`}, Stdin: strings.NewReader("data\n")},
				{Script: `echo "$UNDER_SUDO"; cat; echo data`},
			} {
				c.Sudo = true
				r, err := h.Run(t.Context(), c)
				if err != nil || string(r.Stdout) != "1\ndata\n" {
					t.Errorf("%q %v", r.Stdout, err)
				}
			}
			for _, line := range s.commands {
				if strings.Contains(line, "sesame") {
					t.Errorf("the password is in a command line: %s", line)
				}
			}
		})
	}
}

func TestSudoRefusals(t *testing.T) {
	for _, tt := range []struct{ name, file, text, given, want string }{
		{"no password given", "password", "x", "", "it asks for a password and none is given"},
		{"wrong password", "password", "x", "y", "the password is wrong"},
		{"not a sudoer", "refuse", "ec2-user is not in the sudoers file.\n", "", "the user may not use it"},
		{"requiretty", "refuse", "sudo: sorry, you must have a tty to run sudo\n", "", "its configuration wants a terminal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.standIn("sudo", fakeSudo)
			must(t, os.WriteFile(filepath.Join(s.bin, tt.file), []byte(tt.text), 0o600))
			target := s.target()
			target.SudoPassword = tt.given
			h := NewHost(target)
			defer h.Close()
			_, err := h.Run(t.Context(), Command{Script: "id", Sudo: true})
			refused, ok := errors.AsType[*SudoError](err)
			if !ok || refused.Reason != tt.want || IsTransient(err) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestRootNeedsNoSudo(t *testing.T) {
	s := newServer(t)
	s.standIn("sudo", "#!/bin/sh\nexit 9\n")
	target := s.target()
	target.User = "root"
	h := NewHost(target)
	defer h.Close()
	if _, err := h.Run(t.Context(), Command{Argv: []string{"true"}, Sudo: true}); err != nil {
		t.Error(err)
	}
}
