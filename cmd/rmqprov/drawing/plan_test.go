package drawing

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
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
