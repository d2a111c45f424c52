package playbooks

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Info is what a playbook says of itself.
type Info struct {
	Name        string
	Description string
	Inputs      []InputInfo // in the order of the file
}

// InputInfo is one input of a playbook.
type InputInfo struct {
	Name        string
	Type        string // as HCL writes it: "string", "list(string)"
	Default     string // as HCL writes it; "" when Required
	Required    bool
	Sensitive   bool
	Description string
}

// List describes the playbooks that the binary carries, sorted by name.
func List() []Info {
	var all []Info
	for _, name := range embeddedNames() {
		info, err := Show(name, "")
		if err != nil {
			panic(err) // a test binds every embedded playbook
		}
		all = append(all, info)
	}
	return all
}

// Show describes one playbook: an embedded one by its name, or a folder seen
// from dir. The error is hcl.Diagnostics when the playbook cannot be read.
func Show(name, dir string) (Info, error) {
	f, missing := open(name, dir, hcl.Range{})
	if missing != nil {
		return Info{}, fmt.Errorf("%s: %s", strings.ToLower(missing.Summary), missing.Detail)
	}
	pb, diags := f.decode()
	if diags.HasErrors() {
		return Info{}, f.attach(diags)
	}
	info := Info{Name: name, Description: pb.Description}
	for _, in := range pb.Inputs {
		info.Inputs = append(info.Inputs, f.inputInfo(in))
	}
	return info, nil
}

func (f *folder) inputInfo(in inputBlock) InputInfo {
	ty, diags := inputType(in)
	if diags.HasErrors() {
		ty = cty.DynamicPseudoType
	}
	info := InputInfo{
		Name: in.Name, Type: typeexpr.TypeString(ty), Description: in.Description,
		Sensitive: in.Sensitive, Required: in.Default == nil,
	}
	if in.Default != nil {
		info.Default = f.oneLine(in.Default.Expr.Range())
	}
	return info
}

// oneLine is the source of a range with its line breaks closed up.
func (f *folder) oneLine(r hcl.Range) string {
	file := f.files[r.Filename]
	if file == nil {
		return ""
	}
	tokens, _ := hclsyntax.LexExpression(r.SliceBytes(file.Bytes), r.Filename, r.Start)
	var text strings.Builder
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenComma:
			text.WriteString(", ")
		case hclsyntax.TokenNewline, hclsyntax.TokenEOF, hclsyntax.TokenComment:
		default:
			text.Write(t.Bytes)
		}
	}
	return strings.ReplaceAll(text.String(), ", ]", "]")
}
