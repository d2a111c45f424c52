package playbooks

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/rmqprov/rmqprov/inventory"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/gocty"
)

// eval evaluates and collects what went wrong; the value is then unknown, so
// that nothing complains about it a second time.
func (b *binder) eval(expr hcl.Expression, ctx *hcl.EvalContext) cty.Value {
	v, d := inventory.Evaluate(expr, ctx)
	for _, diag := range d {
		b.suggest(diag)
		if !slices.ContainsFunc(b.diags, func(said *hcl.Diagnostic) bool { return sameSaid(said, diag) }) {
			b.diags = append(b.diags, diag)
		}
	}
	if d.HasErrors() {
		return cty.DynamicVal
	}
	return v
}

// sameSaid is true of what a loop in a template says again.
func sameSaid(x, y *hcl.Diagnostic) bool {
	return x.Summary == y.Summary && x.Detail == y.Detail && x.Subject != nil && y.Subject != nil && *x.Subject == *y.Subject
}

var unknownVariable = regexp.MustCompile(`^There is no variable named "([^"]+)"\.`)

// explainName says of a name that is nothing here where it would be something.
func explainName(d *hcl.Diagnostic) {
	m := unknownVariable.FindStringSubmatch(d.Detail)
	switch {
	case m == nil:
	case m[1] == "slot":
		d.Detail = "slot is the member that a before, after or on block is run for. Elsewhere all members are slots.NAME, a list."
	case m[1] == "lost":
		d.Detail = "lost are the names of the members that are lost, in an on \"recover\" block."
	case m[1] == "var":
		d.Detail = "A playbook does not see the inventory's variables. Write an input block, and give its value in the stack's inputs."
	case !strings.Contains(d.Detail, "Did you mean"):
		d.Detail += fmt.Sprintf(" If the text ${%[1]s} is meant, write $${%[1]s}; a plain text of a playbook.hcl stands in quotes.", m[1])
	}
}

var unknownAttribute = regexp.MustCompile(`attribute named "([^"]+)"\.$`)

// suggest adds to a complaint about input.nmae what may have been meant.
func (b *binder) suggest(d *hcl.Diagnostic) {
	explainName(d)
	m := unknownAttribute.FindStringSubmatch(d.Detail)
	if m == nil {
		return
	}
	var known []string
	for _, v := range b.names {
		if v.Type().IsObjectType() {
			known = slices.AppendSeq(known, maps.Keys(v.Type().AttributeTypes()))
		}
	}
	slices.Sort(known)
	d.Detail += didYouMean(m[1], known)
}

// isAbsent says that an optional attribute was not written.
func isAbsent(expr hcl.Expression) bool {
	v, d := expr.Value(nil)
	return !d.HasErrors() && v.IsNull() && len(expr.Variables()) == 0
}

// as evaluates an attribute to a Go value. Null and absent give the zero
// value, and so does anything that was reported as wrong.
func as[T any](b *binder, expr hcl.Expression, ty cty.Type, what string) T {
	var got T
	v, err := convert.Convert(b.eval(expr, b.scope), ty)
	if err != nil {
		b.fail(expr.Range(), "Wrong type", "%s must be %s: %v.", what, ty.FriendlyName(), err)
		return got
	}
	if v.IsMarked() || v.ContainsMarked() {
		b.fail(expr.Range(), "A sensitive value in the open",
			"%s would show a sensitive value in plans, arguments or files. Put it into a `secret` block and let the container read that.", what)
		return got
	}
	if !v.IsWhollyKnown() || v.IsNull() {
		return got
	}
	if err := gocty.FromCtyValue(v, &got); err != nil {
		b.fail(expr.Range(), "Wrong value", "%s must be a whole number.", what)
	}
	return got
}

func (b *binder) text(expr hcl.Expression, what string) string {
	return as[string](b, expr, cty.String, what)
}

func (b *binder) textOr(expr hcl.Expression, what, otherwise string) string {
	if s := b.text(expr, what); s != "" {
		return s
	}
	return otherwise
}

func (b *binder) number(expr hcl.Expression, what string) int {
	return as[int](b, expr, cty.Number, what)
}

func (b *binder) command(expr hcl.Expression, what string) []string {
	before := len(b.diags)
	if v := b.eval(expr, b.scope); v.Type() == cty.String && v.IsKnown() && !v.IsNull() && !v.IsMarked() {
		b.fail(expr.Range(), "Wrong type", "%s is a list of words: write %s = [%s].", what, what, listed(strings.Fields(v.AsString())))
	}
	if len(b.diags) > before {
		return nil
	}
	words := as[[]string](b, expr, cty.List(cty.String), what)
	if len(words) == 0 && !isAbsent(expr) && len(b.diags) == before {
		b.fail(expr.Range(), "An empty command", "%s must hold a program and its arguments: %s = [\"true\"].", what, what)
	}
	return words
}

// when says whether a block counts; without the attribute it does.
func (b *binder) when(expr hcl.Expression) bool {
	return isAbsent(expr) || as[bool](b, expr, cty.Bool, "when")
}

func (b *binder) duration(expr hcl.Expression, otherwise time.Duration) time.Duration {
	s := b.text(expr, "within")
	if s == "" {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		b.fail(expr.Range(), "Wrong duration", "within must be a duration such as \"90s\" or \"5m\", not %q.", s)
	}
	return d
}

// oneOf evaluates a word that must be among the allowed ones.
func (b *binder) oneOf(expr hcl.Expression, what, otherwise string, allowed ...string) string {
	s := b.textOr(expr, what, otherwise)
	for _, a := range allowed {
		if s == a {
			return s
		}
	}
	b.fail(expr.Range(), "Unknown word", "%s is %q; it must be one of %s.%s", what, s, listed(allowed), didYouMean(s, allowed))
	return otherwise
}

// secretText evaluates a value that may be sensitive, and takes the mark off:
// the caller keeps it where nothing is shown.
func (b *binder) secretText(expr hcl.Expression, what string) string {
	v, _ := b.eval(expr, b.scope).Unmark()
	v, err := convert.Convert(v, cty.String)
	if err != nil {
		// The error names types only, never the value.
		b.fail(expr.Range(), "Wrong type", "%s must be a string: %v.", what, err)
		return ""
	}
	if !v.IsKnown() || v.IsNull() {
		return ""
	}
	return v.AsString()
}

// inputBehind returns where the inventory gives the input that an expression
// depends on: a mistake in a number of members is shown where it was typed.
func (b *binder) inputBehind(expr hcl.Expression) hcl.Range {
	for _, t := range expr.Variables() {
		if t.RootName() != "input" || len(t) < 2 {
			continue
		}
		attr, ok := t[1].(hcl.TraverseAttr)
		if given, found := b.want.Inputs[attr.Name]; ok && found {
			return given.Range
		}
	}
	return b.want.Range
}

// sensitive says whether any part of the value is marked so.
func sensitive(v cty.Value) bool {
	_, marks := v.UnmarkDeep()
	_, ok := marks[inventory.Sensitive{}]
	return ok
}
