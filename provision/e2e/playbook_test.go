//go:build lab

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// The worked example of docs/playbooks.md, as its reader types it: it is written,
// and works on bare hosts.
func TestPlaybookOfTheDocs(t *testing.T) {
	l, err := lab.New("test-hello", "10.100.0.0/24", t.Output())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(args ...string) (string, error) {
		cmd := l.Rmqprov(t.Context(), args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("playbook", "new", "hello"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := run("playbook", "test", "./playbooks/hello", "--input", "members=2", "--subnet", "10.100.0.0/24")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"create service test_hello-01", "create service test_hello-02", "The playbook ./playbooks/hello works."} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	if left, err := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(l.Rmqprov(t.Context()).Path), "rmqlab"), "status", "--name", "test-hello", "--dir", dir).CombinedOutput(); strings.Contains(string(left), "node-") {
		t.Errorf("its hosts are still there: %v\n%s", err, left)
	}
}
