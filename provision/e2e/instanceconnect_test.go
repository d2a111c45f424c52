//go:build lab

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// With no key of its own, rmqprov and the ssh that it runs log in by keys that EC2
// Instance Connect puts on the hosts.
func (c *account) testInstanceConnect(t *testing.T) {
	key := filepath.Join(filepath.Dir(c.file), ".ssh", "id_ed25519")
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.Rename(key+".away", key); err != nil {
			t.Fatal(err)
		}
	}()
	c.refused(t, []string{"login refused; tried no key at all"}, "plan", c.file)
	by := `host_keys = "ec2"` + "\n  instance_connect = true"
	c.edit(t, map[string]string{`host_keys = "ec2"`: by})
	defer c.edit(t, map[string]string{by: `host_keys = "ec2"`})
	contains(t, c.must(t, "status", c.file), "Nothing has drifted")
	contains(t, c.must(t, "apply", c.file), "Nothing to do")
	for _, h := range c.Hosts() {
		if out := c.must(t, "ssh", c.file, h.Name, "id -un; hostname"); strings.TrimSpace(out) != "ec2-user\n"+h.Name {
			t.Errorf("on %s: %q", h.Name, out)
		}
	}
	out, err := c.run(t, "ssh", c.file, "node-1", "exit 7")
	if err == nil || err.Error() != "exit status 7" {
		t.Errorf("ssh to node-1: %v\n%s", err, out)
	}
}
