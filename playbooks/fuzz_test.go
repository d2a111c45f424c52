package playbooks

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/rmqprov/rmqprov/inventory"
)

// folders are the playbooks that fuzzing starts from.
var folders = []string{"consul", "rabbitmq", "haproxy", "testdata/own/orders"}

const plainInventory = `cluster "rmq" {}
host "a" { address = "10.0.0.1" }
host "b" { address = "10.0.0.2" }
host "c" { address = "10.0.0.3" }
network "prod" { subnet = "10.0.1.0/24" }
stack "s" { playbook = "./p" }
`

const plainPlaybook = `playbook "p" {
  slots "s" { count = 2 }
  stack { file = "stack.yml" }
}
`

const plainStack = `services:
%{ for s in slots.s ~}
  ${s.name}:
    image: "a:1"
    hostname: ${s.name}
    networks: [prod]
    stop_grace_period: 30s
    deploy:
      endpoint_mode: dnsrr
      placement: { constraints: ["node.labels.${s.label} == true"] }
%{ endfor ~}
networks: { prod: { external: true } }
`

// bindText binds a playbook of these two files.
func bindText(t *testing.T, playbook, stack []byte) ([]Stack, hcl.Diagnostics) {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, map[string][]byte{
		filepath.Join(dir, "p/playbook.hcl"): playbook, filepath.Join(dir, "p/stack.yml"): stack, filepath.Join(dir, "inventory.hcl"): []byte(plainInventory),
	})
	inv, _, diags := inventory.Load(filepath.Join(dir, "inventory.hcl"), inventory.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return Bind(inv)
}

// sound holds what must be true of any answer: a stack or a reason for none.
func sound(t *testing.T, stacks []Stack, diags hcl.Diagnostics) {
	t.Helper()
	if len(stacks) == 0 && !diags.HasErrors() {
		t.Error("no stack, and nothing is said")
	}
	for _, d := range diags {
		if d.Subject == nil {
			t.Errorf("a diagnostic without a place: %v", d)
		}
	}
}

// FuzzPlaybook holds that no playbook.hcl makes Bind panic, hang or leave a
// stack out in silence.
func FuzzPlaybook(f *testing.F) {
	f.Add([]byte(plainPlaybook))
	for _, folder := range folders {
		text, err := os.ReadFile(filepath.Join(folder, "playbook.hcl"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		stacks, diags := bindText(t, text, []byte(plainStack))
		sound(t, stacks, diags)
	})
}

// FuzzStack holds the same of a compose file.
func FuzzStack(f *testing.F) {
	f.Add([]byte(plainStack))
	for _, folder := range folders {
		paths, err := filepath.Glob(filepath.Join(folder, "*.yml"))
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		stacks, diags := bindText(t, []byte(plainPlaybook), text)
		sound(t, stacks, diags)
	})
}

// A number that would fill the machine's memory is refused, not tried.
func TestUnboundedCounts(t *testing.T) {
	for _, playbook := range []string{
		"playbook \"p\" {\n  slots \"s\" { count = 1e12 }\n  stack { file = \"stack.yml\" }\n}\n",
		"playbook \"p\" {\n  slots \"s\" { count = 100000000 }\n  stack { file = \"stack.yml\" }\n}\n",
	} {
		if _, diags := bindText(t, []byte(playbook), []byte(plainStack)); !diags.HasErrors() {
			t.Errorf("nothing is said of %s", playbook)
		}
	}
}
