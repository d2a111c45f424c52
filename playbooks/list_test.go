package playbooks

import (
	"bytes"
	"fmt"
	"testing"
)

func TestList(t *testing.T) {
	var text bytes.Buffer
	for _, p := range List() {
		fmt.Fprintf(&text, "%s: %s\n", p.Name, p.Description)
		for _, in := range p.Inputs {
			fmt.Fprintf(&text, "  %s %s = %s required=%v sensitive=%v: %s\n", in.Name, in.Type, in.Default, in.Required, in.Sensitive, in.Description)
		}
	}
	golden(t, "list.txt", text.Bytes())
}
