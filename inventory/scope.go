package inventory

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Scope is the expression language: what names mean and which functions
// exist. Playbooks are evaluated with the same one, so that a user learns it
// once.
type Scope struct {
	Variables map[string]cty.Value // var, local, host, stack, cluster
	Functions map[string]function.Function
}

// With returns an evaluation context that knows the scope's functions and only
// the given names. A playbook sees its own inputs and never the inventory's
// variables: what it needs is passed to it.
func (s *Scope) With(names map[string]cty.Value) *hcl.EvalContext {
	return &hcl.EvalContext{Variables: names, Functions: s.Functions}
}

// Sensitive is the mark on values that are never shown.
type Sensitive struct{}
