package playbooks

import "testing"

// What the loader takes and what the reference says of it are one list.
func TestEveryAttributeIsDescribed(t *testing.T) {
	missing, idle := undocumented()
	if len(missing) > 0 || len(idle) > 0 {
		t.Errorf("without a note: %q; notes of what there is not: %q", missing, idle)
	}
}
