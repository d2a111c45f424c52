package playbooks

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// The embedded playbooks are what users copy: they look as `rmqprov fmt` would
// leave them.
func TestEmbeddedAreFormatted(t *testing.T) {
	for _, name := range embeddedNames() {
		src, err := embedded.ReadFile(name + "/playbook.hcl")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(hclwrite.Format(src)), string(src)); diff != "" {
			t.Errorf("%s (-formatted +is):\n%s", name, diff)
		}
	}
}
