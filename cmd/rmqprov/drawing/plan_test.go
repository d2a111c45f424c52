package drawing

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/state"
)

var update = flag.Bool("update", false, "write the golden files anew")

// shown is where the pictures are that the documentation shows.
const shown = "../../../docs/images"

// golden compares with a picture in a file, and wants it to be XML.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	for decoder := xml.NewDecoder(bytes.NewReader(got)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("no browser would show this: %v", err)
		}
	}
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// wanted is a cluster of three hosts as the inventory of testdata wants it.
func wanted(t *testing.T) plan.Want {
	t.Helper()
	inv, _, diags := inventory.Load("testdata/inventory.hcl", inventory.Options{Env: func(string) (string, bool) { return "", false }})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	stacks, diags := playbooks.Bind(inv)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return plan.Want{Inventory: inv, Stacks: stacks}
}

// fresh is the plan for hosts with nothing on them.
func fresh(t *testing.T) *plan.Plan {
	t.Helper()
	want := wanted(t)
	got := state.Snapshot{Hosts: map[string]state.Host{}}
	for _, h := range want.Inventory.Hosts {
		got.Hosts[h.Name] = state.Host{Facts: state.Known[state.Facts]{Value: state.Facts{
			OS:        state.OS{ID: "debian", Version: "13", Pretty: "Debian GNU/Linux 13 (trixie)"},
			Addresses: []netip.Prefix{netip.MustParsePrefix(h.Address + "/16")}, Default: netip.MustParseAddr(h.Address),
			Memory: 4 << 30, DiskFree: 20 << 30, Files: map[string]state.File{},
		}}}
	}
	p, err := plan.Make(want, got)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlan(t *testing.T) {
	p := fresh(t)
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := Plan(out, p, "plan of cluster prod"); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same plan gave two pictures")
	}
	golden(t, filepath.Join(shown, "plan.svg"), first.Bytes())
}

func TestPlanOfNothing(t *testing.T) {
	var out bytes.Buffer
	if err := Plan(&out, &plan.Plan{}, "plan of cluster <prod>"); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/nothing.svg", out.Bytes())
}
