package playbooks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The worked example of the docs is the playbook that `playbook new` writes, to
// the letter. That it works is seen in the lab.
func TestDocsHaveTheSkeleton(t *testing.T) {
	docs, err := os.ReadFile("../docs/playbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	written, err := WriteSkeleton(filepath.Join(t.TempDir(), "hello"), "hello")
	if err != nil || len(written) != 3 {
		t.Fatal(written, err)
	}
	for _, path := range written {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(docs), "\n"+string(text)+"```\n") {
			t.Errorf("docs/playbooks.md does not have %s as it is written", filepath.Base(path))
		}
	}
}
