package remote

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	words := []string{"", "plain", "a b", "it's", `"`, `\`, `\n`, "$HOME", "`id`", "*", "~", "#x", "-n", "a=b", "né\tw\nline", `'\''`, "!x", "{a,b}", "{a.b}"}
	for _, shell := range []string{"sh", "bash", "zsh", "fish", "dash", "busybox"} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip(err)
			}
			argv := []string{path}
			if shell == "busybox" {
				argv = append(argv, "sh")
			}
			argv = append(argv, "-c", Quote(append([]string{"printf", `%s\0`}, words...)...))
			out, err := exec.Command(argv[0], argv[1:]...).Output()
			must(t, err)
			if got := strings.Split(string(out), "\x00"); !slices.Equal(got[:len(got)-1], words) {
				t.Errorf("%q", got)
			}
		})
	}
}
