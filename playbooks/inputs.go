package playbooks

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/rmqprov/rmqprov/inventory"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// bindInputs takes the inventory's inputs, fills in defaults, converts and
// validates. A null given stands for the default.
func (b *binder) bindInputs() {
	b.rejectUnknownInputs()
	b.stack.Inputs = map[string]cty.Value{}
	for _, in := range b.playbook.Inputs {
		b.stack.Inputs[in.Name] = b.input(in)
	}
	b.names["input"] = cty.ObjectVal(b.stack.Inputs)
	if b.diags.HasErrors() {
		return
	}
	for _, in := range b.playbook.Inputs {
		b.validate(in)
	}
}

func (b *binder) rejectUnknownInputs() {
	var known []string
	for _, in := range b.playbook.Inputs {
		known = append(known, in.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(b.want.Inputs)) {
		if !slices.Contains(known, name) {
			b.fail(b.want.Inputs[name].Range, "Unknown input", "The playbook %q has no input %q.%s Its inputs are listed by `rmqprov playbook show %s`.",
				b.want.Playbook, name, didYouMean(name, known), b.want.Playbook)
		}
	}
}

func (b *binder) input(in inputBlock) cty.Value {
	given, ok := b.want.Inputs[in.Name]
	want, d := inputType(in)
	b.diags = append(b.diags, d...)
	if d.HasErrors() {
		return cty.DynamicVal
	}
	v, at := given.Value, given.Range
	if !ok || isNull(v) {
		if in.Default == nil {
			b.fail(b.inputsRange(), "Missing input", "The playbook %q needs the input %q%s.", b.want.Playbook, in.Name, about(in))
			return cty.DynamicVal
		}
		v, at = b.eval(in.Default.Expr, b.scope), in.Default.Expr.Range()
	}
	got, err := convert.Convert(v, want)
	if err != nil {
		b.fail(at, "Wrong type of input", "The input %q of the playbook %q takes %s: %v.", in.Name, b.want.Playbook, want.FriendlyName(), err)
		return cty.DynamicVal
	}
	if in.Sensitive {
		got = got.Mark(inventory.Sensitive{})
	}
	return got
}

func (b *binder) inputsRange() hcl.Range {
	if b.want.InputsRange.Filename == "" {
		return b.want.Range
	}
	return b.want.InputsRange
}

func about(in inputBlock) string {
	if in.Description == "" {
		return ""
	}
	return " (" + in.Description + ")"
}

func inputType(in inputBlock) (cty.Type, hcl.Diagnostics) {
	if isAbsent(in.Type) {
		return cty.DynamicPseudoType, nil
	}
	return typeexpr.TypeConstraint(in.Type)
}

func (b *binder) validate(in inputBlock) {
	at := b.want.Inputs[in.Name].Range
	if at.Filename == "" {
		at = in.DefRange
	}
	for _, rule := range in.Validations {
		b.check(rule.Condition, rule.Error, at, fmt.Sprintf("Invalid input %q", in.Name))
	}
}

// checkSurroundings evaluates the playbook's demands on inputs, hosts and
// networks. It comes before the locals, which may count on them; a demand that
// is about locals or slots comes after.
func (b *binder) checkSurroundings() { b.checks(false) }

func (b *binder) checkLocals() { b.checks(true) }

func (b *binder) checks(late bool) {
	for _, c := range b.playbook.Checks {
		if needs := names(c.Condition, "local") || names(c.Condition, "slots"); needs == late {
			b.check(c.Condition, c.Error, b.want.Range, fmt.Sprintf("The playbook %q cannot work like this", b.want.Playbook))
		}
	}
}

func (b *binder) check(condition, message hcl.Expression, at hcl.Range, summary string) {
	holds, err := convert.Convert(b.eval(condition, b.scope), cty.Bool)
	if err != nil {
		b.fail(condition.Range(), "Not a condition", "The condition must be true or false: %v.", err)
		return
	}
	holds, _ = holds.Unmark()
	if holds.IsKnown() && !holds.IsNull() && holds.False() {
		b.fail(at, summary, "%s", b.text(message, "error_message"))
	}
}

// isNull looks through marks.
func isNull(v cty.Value) bool {
	v, _ = v.Unmark()
	return v == cty.NilVal || v.IsNull()
}
