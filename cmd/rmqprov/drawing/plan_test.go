package drawing

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/sample"
	"github.com/rmqprov/rmqprov/provision/plan"
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

func TestPlan(t *testing.T) {
	p := sample.Plan(3)
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

// TestPlanOfManyHosts draws hosts that have the same steps once.
func TestPlanOfManyHosts(t *testing.T) {
	p := sample.Plan(200)
	p.Steps[slices.IndexFunc(p.Steps, func(s plan.Step) bool { return s.ID == "host.node-77.docker" })].Disrupts = "restarts Docker on node-77"
	few, names := folded(p)
	if want := map[string]string{"node-2": "node-2 and 1 more", "node-4": "node-4 and 195 more"}; !maps.Equal(names, want) {
		t.Errorf("lanes for several hosts: %v, want %v", names, want)
	}
	lanes := lanesOf(few)
	if want := []string{"node-1", "node-2", "node-4", "node-77", "the swarm", "stack consul", "stack rabbitmq", "stack haproxy"}; !slices.Equal(lanes, want) {
		t.Errorf("lanes %v, want %v", lanes, want)
	}
	service, _ := few.Step("stack.haproxy.service.haproxy")
	if !slices.Contains(service.After, "host.node-4.image.haproxy:3.0") || slices.Contains(service.After, "host.node-5.image.haproxy:3.0") {
		t.Errorf("the service on every host waits for %v", service.After)
	}
	var out bytes.Buffer
	if err := Plan(&out, p, "plan of cluster prod"); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/many.svg", out.Bytes())
}

func TestRenamed(t *testing.T) {
	for text, want := range map[string]string{
		"host.node-1.docker": "host.X.docker", "host.node-10.docker": "host.node-10.docker", "join node-1": "join X", "a-node-1": "a-node-1", "node-1": "X",
	} {
		if got := renamed(text, "node-1", "X"); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
