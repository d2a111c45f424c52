package inventory

import (
	"fmt"
	"io/fs"
	"path"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Scope is the expression language: what names mean and which functions
// exist. Playbooks are evaluated with the same one, so that a user learns it
// once.
type Scope struct {
	Variables map[string]cty.Value // var, local, host, network, image, stack, cluster
	Functions map[string]function.Function

	env func(string) (string, bool)
}

// With returns an evaluation context that knows the scope's functions and only
// the given names. A playbook sees its own inputs and never the inventory's
// variables: what it needs is passed to it.
func (s *Scope) With(names map[string]cty.Value) *hcl.EvalContext {
	return &hcl.EvalContext{Variables: names, Functions: s.Functions}
}

// In is With for a playbook's own folder: file, templatefile and their like
// read from fsys, which is embedded or on disk, and not from the inventory's
// folder.
func (s *Scope) In(fsys fs.FS, names map[string]cty.Value) *hcl.EvalContext {
	read := func(name string) ([]byte, error) {
		if clean := path.Clean(name); fs.ValidPath(clean) {
			return fs.ReadFile(fsys, clean)
		}
		return nil, fmt.Errorf("%q is outside of the playbook's folder", name)
	}
	return &hcl.EvalContext{Variables: names, Functions: functions(read, s.env)}
}

// Sensitive is the mark on values that are never shown.
type Sensitive struct{}
