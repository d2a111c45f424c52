package playbooks

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/rmqprov/rmqprov/inventory"
)

var update = flag.Bool("update", false, "write the golden files anew")

// load reads an inventory and binds it; env holds environment variables.
func load(t *testing.T, path string, env map[string]string) ([]Stack, string) {
	t.Helper()
	look := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	inv, files, diags := inventory.Load(path, inventory.Options{Env: look})
	if inv == nil {
		t.Fatal(diags)
	}
	stacks, d := Bind(inv)
	diags = append(diags, d...)
	all := Sources(diags)
	for name, f := range files {
		all[name] = f
	}
	var text bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&text, all, 0, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	return stacks, text.String()
}

// golden compares with a file under testdata/golden.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update accepts):\n%s", path, diff)
	}
}

func indented(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// The rendered files and the service specs of the three embedded playbooks are
// kept as golden files: they are what reaches the hosts.
func TestBindContract(t *testing.T) {
	stacks, diags := load(t, "testdata/inventory.hcl", map[string]string{"RMQ_ADMIN_PASSWORD": "correct-horse"})
	if diags != "" {
		t.Errorf("diagnostics:\n%s", diags)
	}
	for _, s := range stacks {
		for _, f := range s.Files {
			golden(t, filepath.Join("contract", s.Name, f.Name), f.Content)
		}
		golden(t, filepath.Join("contract", s.Name, "services.json"), indented(t, s.Services))
		s.Services, s.Files, s.Inputs, s.Range = nil, nil, nil, hcl.Range{}
		golden(t, filepath.Join("contract", s.Name, "stack.json"), indented(t, s))
	}
}

func TestBindDiscovered(t *testing.T) {
	stacks, diags := load(t, "testdata/inventory-ec2.hcl", nil)
	golden(t, "inventory-ec2.txt", []byte(diags))
	if len(stacks) != 3 {
		t.Errorf("%d stacks bound, want the 3 that the binary carries", len(stacks))
	}
}

// Every mistake is reported, at its place, and all of a file at once.
func TestBindMistakes(t *testing.T) {
	inventories, err := filepath.Glob("testdata/bad/*.hcl")
	if err != nil || len(inventories) == 0 {
		t.Fatal(inventories, err)
	}
	for _, path := range inventories {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, diags := load(t, path, nil)
			golden(t, filepath.Join("bad", strings.TrimSuffix(filepath.Base(path), ".hcl")+".txt"), []byte(diags))
		})
	}
}
