package inventory

import (
	"bytes"
	_ "embed"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns the text of an inventory file in the usual layout. What
// cannot be parsed is not touched, and the diagnostics say why; their ranges
// have no file name, which the caller knows.
func Format(src []byte) ([]byte, hcl.Diagnostics) {
	if _, diags := hclsyntax.ParseConfig(src, "", hcl.InitialPos); diags.HasErrors() {
		return nil, diags
	}
	return hclwrite.Format(src), nil
}

//go:embed example.hcl
var example []byte

// Example returns a commented inventory to start from.
func Example() []byte { return bytes.Clone(example) }
