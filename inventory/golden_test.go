package inventory

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

var update = flag.Bool("update", false, "write what is printed into the golden files")

// testEnv is the environment of all inventories in testdata.
func testEnv(name string) (string, bool) {
	value, ok := map[string]string{
		"HOME":                "/home/me",
		"RMQPROV_VAR_region":  "eu-west-1",
		"RMQPROV_VAR_secret":  "hunter2",
		"RMQPROV_VAR_zones":   `["a", "b"]`,
		"RMQPROV_VAR_broken":  `["hunter2"`,
		"RMQPROV_VAR_members": "three",
	}[name]
	return value, ok
}

// printed returns diagnostics as the command prints them.
func printed(t testing.TB, sources Sources, diags hcl.Diagnostics) string {
	t.Helper()
	var out bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&out, sources, 100, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func compareGolden(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("diagnostics differ from %s (-want +got; go test -update writes it):\n%s", golden, diff)
	}
}

// TestBad pins what is said about each kind of mistake, and that nothing of a
// secret is.
func TestBad(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/bad/*.hcl")
	if err != nil || len(paths) < 100 {
		t.Fatalf("only %d inventories in testdata/bad: %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			_, sources, diags := Load(path, Options{Env: testEnv})
			if len(diags) == 0 {
				t.Fatal("nothing is wrong with it")
			}
			got := printed(t, sources, diags)
			if strings.Contains(got, "hunter2") {
				t.Errorf("the secret is printed:\n%s", got)
			}
			for _, d := range diags {
				if d.Subject == nil {
					t.Errorf("%q has no place", d.Summary)
				}
			}
			compareGolden(t, strings.TrimSuffix(path, ".hcl")+".golden", got)
		})
	}
}

// TestGood loads inventories and folders of them, and nothing is to be said.
func TestGood(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/good/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no inventories in testdata/good: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			inv, sources, diags := Load(path, Options{Env: testEnv})
			if len(diags) > 0 {
				t.Fatal(printed(t, sources, diags))
			}
			for _, s := range inv.Stacks {
				for name, in := range s.Inputs {
					if !in.Value.IsWhollyKnown() {
						t.Errorf("input %s of stack %s is unknown, and nothing is said", name, s.Name)
					}
				}
			}
		})
	}
}

// TestSameReport holds that maps inside leave no trace in the order of what is
// said.
func TestSameReport(t *testing.T) {
	t.Parallel()
	_, sources, diags := Load("testdata/bad/everything.hcl", Options{Env: testEnv})
	want := printed(t, sources, diags)
	for range 20 {
		_, sources, diags := Load("testdata/bad/everything.hcl", Options{Env: testEnv})
		if diff := cmp.Diff(want, printed(t, sources, diags)); diff != "" {
			t.Fatalf("another run says something else:\n%s", diff)
		}
	}
}
