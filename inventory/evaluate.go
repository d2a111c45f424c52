package inventory

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// node is something that expressions can refer to by name. It is evaluated
// when it is first needed, so that the order of blocks never matters.
type node struct {
	root  string // "var", "local", "cluster", "host", "network", "image" or "stack"
	name  string // "" for the cluster
	rng   hcl.Range
	eval  func() cty.Value
	done  bool
	value cty.Value
}

// rootNames are the names that an expression can start with.
var rootNames = []string{"var", "local", "host", "network", "image", "stack", "cluster"}

// forms says how a member of each root is written.
var forms = map[string]string{
	"var":     "var.%s",
	"local":   "local.%s",
	"host":    `host["%s"]`,
	"network": `network["%s"]`,
	"image":   "image.%s",
	"stack":   "stack.%s",
}

// origins says what makes the members of each root.
var origins = map[string]string{"var": "variable", "local": "local value", "host": "host", "network": "network", "image": "image", "stack": "stack"}

func (n *node) String() string {
	if n.root == "cluster" {
		return n.root
	}
	return fmt.Sprintf(forms[n.root], n.name)
}

// declare makes a name known to expressions. It reports a name that is taken.
func (ld *loader) declare(root, name string, p place, eval func() cty.Value) bool {
	if taken := ld.find(root, name); taken != nil {
		ld.errorAt(p, fmt.Sprintf("Duplicate %s %q", origins[root], name), "The name is taken at %s. Rename one of the two, or remove it.", where(taken.rng))
		return false
	}
	ld.nodes[root] = append(ld.nodes[root], &node{root: root, name: name, rng: p.subject, eval: eval})
	return true
}

func (ld *loader) find(root, name string) *node {
	i := slices.IndexFunc(ld.nodes[root], func(n *node) bool { return n.name == name })
	if i < 0 {
		return nil
	}
	return ld.nodes[root][i]
}

func (ld *loader) members(root string) []string {
	var names []string
	for _, n := range ld.nodes[root] {
		names = append(names, n.name)
	}
	return names
}

// resolve evaluates a node once. From is the reference that asks for it. What
// is part of a cycle is reported and has no value.
func (ld *loader) resolve(n *node, from place) cty.Value {
	if n.done {
		return n.value
	}
	if i := slices.Index(ld.active, n); i >= 0 {
		ld.reportCycle(ld.active[i:], from)
		return cty.DynamicVal
	}
	ld.active = append(ld.active, n)
	n.value = n.eval()
	n.done = true
	ld.active = ld.active[:len(ld.active)-1]
	return n.value
}

func (ld *loader) reportCycle(cycle []*node, from place) {
	names := make([]string, 0, len(cycle)+1)
	for _, n := range append(slices.Clone(cycle), cycle[0]) {
		names = append(names, n.String())
	}
	ld.errorAt(from, "References go in a circle", "%s. Write one of these values without the others.", strings.Join(names, " → "))
}

// Evaluate is expr.Value with better diagnostics: they name the nearest known
// function or attribute, are the same on every run, and quote no sensitive
// value.
func Evaluate(expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := expr.Value(ctx)
	for i, d := range diags {
		diags[i] = improve(d)
	}
	return v, diags
}

// value evaluates an expression. What went wrong is reported, and the value is
// then unknown or holds unknown parts; nothing else makes a value unknown.
func (ld *loader) value(expr hcl.Expression) cty.Value {
	ctx := ld.context(expr)
	v, diags := Evaluate(expr, ctx)
	ld.diags = ld.diags.Extend(diags)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	if !v.IsWhollyKnown() && allKnown(ctx.Variables) {
		ld.errorAt(at(expr.Range()), "No value", "A function cannot say what this is, probably because an argument is null. Write null out of it, for example with coalesce(…).")
	}
	return v
}

// allKnown reports whether all that an expression refers to has a value. What
// has none has been reported.
func allKnown(names map[string]cty.Value) bool {
	for _, v := range names {
		if !v.IsWhollyKnown() {
			return false
		}
	}
	return true
}

// context evaluates what an expression refers to, and nothing else.
func (ld *loader) context(expr hcl.Expression) *hcl.EvalContext {
	known := map[string]map[string]cty.Value{}
	for _, t := range expr.Variables() {
		root := t.RootName()
		if !slices.Contains(rootNames, root) {
			ld.unknownRoot(t)
			continue
		}
		if known[root] == nil {
			known[root] = map[string]cty.Value{}
		}
		ld.refer(t, known[root])
	}
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: ld.functions}
	for root, members := range known {
		ctx.Variables[root] = rootValue(root, members)
	}
	for _, t := range expr.Variables() {
		if _, ok := ctx.Variables[t.RootName()]; !ok {
			ctx.Variables[t.RootName()] = cty.DynamicVal // reported above
		}
	}
	return ctx
}

func rootValue(root string, members map[string]cty.Value) cty.Value {
	if root == "cluster" {
		return members[""]
	}
	return cty.ObjectVal(members)
}

// refer evaluates the members of a root that one reference needs: the one it
// names, or all of them when the name is not written out.
func (ld *loader) refer(t hcl.Traversal, into map[string]cty.Value) {
	root := t.RootName()
	name, named := memberName(t)
	if root == "cluster" {
		name, named = "", true
	}
	if !named {
		for _, n := range ld.nodes[root] {
			into[n.name] = ld.resolve(n, at(t.SourceRange()))
		}
		return
	}
	n := ld.find(root, name)
	if n == nil {
		ld.unknownMember(root, name, t)
		into[name] = cty.DynamicVal
		return
	}
	into[name] = ld.resolve(n, at(t.SourceRange()))
}

// quoted is a text that would be a reference without its quotes.
var quoted = regexp.MustCompile(`^(var|local|host|network|image|stack)(?:\.|\[")([\w-]+)`)

// checkQuoted warns of references in quotes: they are taken as they stand.
func (ld *loader) checkQuoted(body *hclsyntax.Body) {
	hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
		text, ok := n.(*hclsyntax.TemplateExpr)
		if !ok || !text.IsStringLiteral() {
			return nil
		}
		s := text.Parts[0].(*hclsyntax.LiteralValueExpr).Val.AsString()
		if m := quoted.FindStringSubmatch(s); m != nil && ld.find(m[1], m[2]) != nil {
			ld.warnAt(at(text.Range()), "A reference in quotes", "This is the text itself. If what it refers to is meant, write %s without quotes.", s)
		}
		return nil
	})
}

// memberName returns the name in var.NAME or host["NAME"].
func memberName(t hcl.Traversal) (string, bool) {
	if len(t) < 2 {
		return "", false
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString(), true
		}
	}
	return "", false
}

func (ld *loader) unknownMember(root, name string, t hcl.Traversal) {
	if root == "cluster" {
		return // declareCluster has said that there is none
	}
	p := place{subject: t[:2].SourceRange(), context: t.SourceRange()}
	known := ld.members(root)
	detail := fmt.Sprintf("There is no %s %q.%s", origins[root], name, suggest(name, known, forms[root]))
	if root == "host" && len(ld.blocks["discover"]) > 0 {
		detail += " Discovered hosts are not known while the inventory is read."
	}
	ld.errorAt(p, fmt.Sprintf("Unknown %s %q", origins[root], name), "%s", detail)
}

func (ld *loader) unknownRoot(t hcl.Traversal) {
	root := t.RootName()
	detail := ld.meantBy(root)
	ld.errorAt(place{subject: t[0].SourceRange(), context: t.SourceRange()}, fmt.Sprintf("Unknown name %q", root), "Nothing here is called %q.%s", root, detail)
}

// meantBy says what a name that starts no reference was probably meant to be.
func (ld *loader) meantBy(name string) string {
	if name == "locals" {
		return ` Did you mean "local"?`
	}
	for _, root := range rootNames {
		if n := ld.find(root, name); n != nil && name != "" {
			return fmt.Sprintf(" Did you mean %s, or the text %q?", n, name)
		}
	}
	if _, ok := ld.functions[name]; ok {
		return fmt.Sprintf(" It is a function: write %s(…).", name)
	}
	if near := nearest(name, rootNames); near != "" {
		return fmt.Sprintf(" Did you mean %q?", near)
	}
	return fmt.Sprintf(" If it is a text, write it in quotes: %q. A reference starts with var, local, host, network, image, stack or cluster.", name)
}

// scope evaluates everything that has a name.
func (ld *loader) scope() *Scope {
	s := &Scope{Variables: map[string]cty.Value{}, Functions: ld.functions, env: ld.env}
	for _, root := range rootNames {
		members := map[string]cty.Value{}
		for _, n := range ld.nodes[root] {
			members[n.name] = ld.resolve(n, at(n.rng))
		}
		if root == "cluster" && len(members) == 0 {
			continue
		}
		s.Variables[root] = rootValue(root, members)
	}
	return s
}

// literal evaluates an expression that may use functions but no names.
func (ld *loader) literal(expr hclsyntax.Expression, what, instead string) cty.Value {
	if vars := expr.Variables(); len(vars) > 0 {
		ld.errorAt(place{subject: vars[0].SourceRange(), context: expr.Range()}, fmt.Sprintf("No references in %s", what), "%s", instead)
		return cty.DynamicVal
	}
	return ld.value(expr)
}
