package inventory

import "github.com/zclconf/go-cty/cty"

// declareLocals reads the values of all locals blocks.
func (ld *loader) declareLocals() {
	for _, b := range ld.blocks["locals"] {
		for _, attr := range inOrder(b.hcl.Body.Attributes) {
			p := place{subject: attr.NameRange, context: attr.SrcRange}
			ld.declare("local", attr.Name, p, func() cty.Value { return ld.value(attr.Expr) })
		}
	}
}
