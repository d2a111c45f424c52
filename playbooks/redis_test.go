package playbooks

import (
	"os/exec"
	"testing"
)

func TestBindRedis(t *testing.T) {
	stacks, diags := load(t, "testdata/redis.hcl", nil)
	if diags != "" {
		t.Errorf("diagnostics:\n%s", diags)
	}
	goldenStacks(t, "redis", stacks)
}

// The commands are shell scripts: a slip in one would show only when a host has
// died. Every one is at least a script, with a slot's name put in.
func TestRedisCommandsParse(t *testing.T) {
	stacks, _ := load(t, "testdata/redis.hcl", nil)
	check := func(name string, argv []string) {
		t.Helper()
		if len(argv) != 3 || argv[0] != "sh" {
			t.Fatalf("%s is no script: %q", name, argv)
		}
		if out, err := exec.Command("sh", "-n", "-c", argv[2]).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", name, out)
		}
	}
	for _, g := range stacks[0].Gates {
		check("gate "+g.Name, g.Exec)
		if g.Mend != nil {
			check("mending "+g.Name, g.Mend)
		}
	}
	for _, h := range stacks[0].Hooks {
		check(h.Moment+" "+h.Name, h.ExecFor("redis-a-02"))
	}
}
