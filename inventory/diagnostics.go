package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// place is where a diagnostic points: the exact words, and the argument or
// block header they stand in.
type place struct {
	subject hcl.Range
	context hcl.Range
}

// at points at one range, which is its own context.
func at(r hcl.Range) place { return place{subject: r, context: r} }

// diagnose makes a diagnostic. Summary says what is wrong, detail what to
// write instead.
func diagnose(severity hcl.DiagnosticSeverity, p place, summary, detail string) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: severity, Summary: summary, Detail: detail}
	if p.subject.Filename == "" {
		return d
	}
	d.Subject = p.subject.Ptr()
	if p.context != p.subject {
		d.Context = p.context.Ptr()
	}
	return d
}

func (ld *loader) errorAt(p place, summary, detail string, args ...any) {
	ld.diags = ld.diags.Append(diagnose(hcl.DiagError, p, summary, fmt.Sprintf(detail, args...)))
}

func (ld *loader) warnAt(p place, summary, detail string, args ...any) {
	ld.diags = ld.diags.Append(diagnose(hcl.DiagWarning, p, summary, fmt.Sprintf(detail, args...)))
}

// nearest returns the known name that the given one most likely means, or "".
func nearest(given string, known []string) string {
	// hcl takes what is less than three changes away; longer names may differ more.
	best, distance := "", min(len(given), max(3, 1+len(given)/3))
	for _, name := range known {
		if d := levenshtein.Distance(strings.ToLower(given), strings.ToLower(name), nil); d < distance {
			best, distance = name, d
		}
	}
	return best
}

// suggest ends a diagnostic about an unknown name: with the nearest known one,
// or with all of them when none is near. The form says how a name is written.
func suggest(given string, known []string, form string) string {
	if near := nearest(given, known); near != "" {
		return fmt.Sprintf(" Did you mean "+form+"?", near)
	}
	if len(known) == 0 {
		return " None is defined."
	}
	return " Known: " + list(known, form) + "."
}

// list names things in a sentence, each in the given form.
func list(names []string, form string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf(form, name)
	}
	return strings.Join(quoted, ", ")
}

// where names a place in a sentence: "inventory.hcl:12".
func where(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

// arrange puts diagnostics in the order of the files and drops repetitions, so
// that the same files always give the same report.
func arrange(diags hcl.Diagnostics) hcl.Diagnostics {
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		return cmp.Or(compareRange(a.Subject, b.Subject), cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.Detail, b.Detail))
	})
	return slices.CompactFunc(diags, func(a, b *hcl.Diagnostic) bool {
		return a.Summary == b.Summary && a.Detail == b.Detail && compareRange(a.Subject, b.Subject) == 0
	})
}

func compareRange(a, b *hcl.Range) int {
	var zero hcl.Range
	if a == nil {
		a = &zero
	}
	if b == nil {
		b = &zero
	}
	return cmp.Or(cmp.Compare(a.Filename, b.Filename), cmp.Compare(a.Start.Byte, b.Start.Byte))
}

// improve rewrites what the evaluator of expressions says where that would not
// do: its suggestion for an unknown function depends on the order of a map, it
// has none for an unknown attribute, and it may quote a sensitive value.
func improve(d *hcl.Diagnostic) *hcl.Diagnostic {
	if unknown, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallUnknownDiagExtra](d); ok {
		d.Detail = unknownFunction(unknown.CalledFunctionName(), d.EvalContext)
		return d
	}
	// The evaluator puts a full stop behind errors that end in one already.
	if strings.HasSuffix(d.Detail, "..") || strings.HasSuffix(d.Detail, "?.") {
		d.Detail = d.Detail[:len(d.Detail)-1]
	}
	if d.Expression == nil || d.EvalContext == nil {
		return d
	}
	if touchesSensitive(d.Expression, d.EvalContext) {
		withhold(d)
		return d
	}
	if name, known, ok := missingAttribute(d.Expression, d.EvalContext); ok && (d.Summary == "Unsupported attribute" || d.Summary == "Invalid index") {
		d.Detail = fmt.Sprintf("This object does not have an attribute named %q.%s", name, suggest(name, known, "%q"))
	}
	return d
}

func unknownFunction(name string, ctx *hcl.EvalContext) string {
	var known []string
	for ; ctx != nil; ctx = ctx.Parent() {
		known = append(known, sortedKeys(ctx.Functions)...)
	}
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("There is no function named %q. Did you mean %q?", name, near)
	}
	return fmt.Sprintf("There is no function named %q. Functions have the names that Terraform gives them.", name)
}

// quoteNothing are the diagnostics of the evaluator whose details hold types and
// words of the source, but no values.
var quoteNothing = []string{"Unsupported attribute", "Invalid index", "Invalid operand", "Incorrect condition type"}

// withhold takes out of a diagnostic what may quote a sensitive value. Only
// what quotes nothing but the source, or nothing at all, stays.
func withhold(d *hcl.Diagnostic) {
	call, isCall := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
	switch {
	case isCall && call.FunctionCallError() == nil:
	case slices.Contains(quoteNothing, d.Summary):
	case isCall:
		d.Detail = fmt.Sprintf("The function %q failed. Its message is not shown, because it may contain a sensitive value.", call.CalledFunctionName())
	default:
		d.Detail = "The details are not shown, because they may contain a sensitive value."
	}
}

// missingAttribute returns the attribute that a reference asks for in vain, and
// those that are there.
func missingAttribute(expr hcl.Expression, ctx *hcl.EvalContext) (name string, known []string, ok bool) {
	t, diags := hcl.AbsTraversalForExpr(expr)
	if diags.HasErrors() {
		return "", nil, false
	}
	for i := 1; i < len(t); i++ {
		v, diags := t[:i].TraverseAbs(ctx)
		if diags.HasErrors() || !v.Type().IsObjectType() {
			return "", nil, false
		}
		if step, ok := stepName(t[i]); ok && !v.Type().HasAttribute(step) {
			return step, sortedKeys(v.Type().AttributeTypes()), true
		}
	}
	return "", nil, false
}

// stepName returns the name in .NAME, ["NAME"] or [0].
func stepName(step hcl.Traverser) (string, bool) {
	switch step := step.(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		name, err := convert.Convert(step.Key, cty.String)
		if err == nil && name.IsKnown() && !name.IsNull() {
			return name.AsString(), true
		}
	}
	return "", false
}

// suggestOnly is suggest for sets of names too large to list.
func suggestOnly(given string, known []string) string {
	if near := nearest(given, known); near != "" {
		return fmt.Sprintf(" Did you mean %q?", near)
	}
	return ""
}

// touchesSensitive reports whether an expression refers to anything sensitive.
func touchesSensitive(expr hcl.Expression, ctx *hcl.EvalContext) bool {
	return slices.ContainsFunc(expr.Variables(), func(t hcl.Traversal) bool {
		v, diags := t.TraverseAbs(ctx)
		if diags.HasErrors() {
			v = lookUp(t.RootName(), ctx)
		}
		return v != cty.NilVal && v.ContainsMarked()
	})
}

// lookUp returns the whole value that a root name stands for, so that a
// reference that fails below it is judged by all it could have meant.
func lookUp(root string, ctx *hcl.EvalContext) cty.Value {
	for ; ctx != nil; ctx = ctx.Parent() {
		if v, ok := ctx.Variables[root]; ok {
			return v
		}
	}
	return cty.NilVal
}
