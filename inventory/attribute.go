package inventory

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// attr returns an argument, or nil when it is not written.
func (b *block) attr(arg string) *hclsyntax.Attribute { return b.hcl.Body.Attributes[arg] }

// has reports whether an argument is written.
func (b *block) has(arg string) bool { return b.attr(arg) != nil }

// place points at an argument's value.
func (b *block) place(arg string) place {
	a := b.attr(arg)
	if a == nil {
		return at(b.header())
	}
	return place{subject: a.Expr.Range(), context: a.SrcRange}
}

// require reports an argument that is not written; the example is its value.
func (b *block) require(arg, example string) bool {
	if !b.has(arg) {
		b.ld.errorAt(at(b.header()), fmt.Sprintf("Missing %s", arg), "%s needs it: write %s = %s.", b.kind.a(), arg, example)
	}
	return b.has(arg)
}

// wrongType reports a value that cannot be what the argument needs.
func (ld *loader) wrongType(p place, arg, want string, got cty.Value) {
	ld.errorAt(p, fmt.Sprintf("Wrong type for %s", arg), "This is %s, and %s is %s.", describe(got.Type()), arg, want)
}

// describe names a type as the user writes it.
func describe(ty cty.Type) string {
	switch {
	case ty == cty.String:
		return "a string"
	case ty == cty.Number:
		return "a number"
	case ty == cty.Bool:
		return "true or false"
	case ty.IsTupleType() || ty.IsListType() || ty.IsSetType():
		return "a list"
	default:
		return "an object"
	}
}

// shown returns a value that rmqprov shows in plans, without marks. False means
// that there is none: it is null, or what is wrong with it has been reported.
func (ld *loader) shown(v cty.Value, p place, arg string) (cty.Value, bool) {
	if v.HasMarkDeep(Sensitive{}) {
		ld.errorAt(p, fmt.Sprintf("Sensitive value in %s", arg),
			"Plans show this argument, so that it must not be sensitive. Wrap the value in nonsensitive(…) if it is no secret.")
		return cty.NilVal, false
	}
	if !v.IsWhollyKnown() || v.IsNull() {
		return cty.NilVal, false
	}
	return v, true
}

// text reads a string argument; "" when it is not written or not usable.
func (b *block) text(arg string) string {
	s, _ := b.writtenText(arg)
	return s
}

// requiredText reads a string argument that must be there and not empty. It
// returns "" after reporting what is wrong.
func (b *block) requiredText(arg, example string) string {
	if !b.require(arg, example) {
		return ""
	}
	s, ok := b.writtenText(arg)
	if ok && s == "" {
		b.ld.errorAt(b.place(arg), fmt.Sprintf("Empty %s", arg), "%s needs it, and this is empty or null: write %s = %s.", b.kind.a(), arg, example)
	}
	return s
}

// writtenText reads a string argument. It is false when the argument is not
// written, or when what is wrong with it has been reported.
func (b *block) writtenText(arg string) (string, bool) {
	if !b.has(arg) {
		return "", false
	}
	p := b.place(arg)
	v := b.ld.value(b.attr(arg).Expr)
	if v.IsNull() && !v.ContainsMarked() {
		return "", true
	}
	v, ok := b.ld.shown(v, p, arg)
	if !ok {
		return "", false
	}
	return b.ld.asText(v, p, arg)
}

// asText converts a value that is known and not null. False means that it is no
// text, which has been reported.
func (ld *loader) asText(v cty.Value, p place, arg string) (string, bool) {
	s, err := convert.Convert(v, cty.String)
	if err != nil || s.IsNull() {
		ld.wrongType(p, arg, "a string", v)
		return "", false
	}
	return s.AsString(), true
}

// secret reads a string argument that may be sensitive.
func (b *block) secret(arg string) string {
	if !b.has(arg) {
		return ""
	}
	v, _ := b.ld.value(b.attr(arg).Expr).UnmarkDeep()
	if !v.IsWhollyKnown() || v.IsNull() {
		return ""
	}
	s, _ := b.ld.asText(v, b.place(arg), arg)
	return s
}

// pattern reads a string argument of a certain form.
func (b *block) pattern(arg string, form *regexp.Regexp, want string) string {
	s := b.text(arg)
	if s != "" && !form.MatchString(s) {
		b.ld.errorAt(b.place(arg), fmt.Sprintf("Invalid %s %q", arg, s), "Write %s.", want)
		return ""
	}
	return s
}

// choice reads a string argument that is one of a few words.
func (b *block) choice(arg, preset string, words ...string) string {
	s := b.text(arg)
	if s == "" {
		return preset
	}
	if slices.Contains(words, s) {
		return s
	}
	b.ld.errorAt(b.place(arg), fmt.Sprintf("Unknown %s %q", arg, s), "It is one of: %s.%s", list(words, "%q"), suggestOnly(s, words))
	return preset
}

// integer reads a whole number within bounds; preset when it is not written or
// not usable.
func (b *block) integer(arg string, preset, low, high int) int {
	if !b.has(arg) {
		return preset
	}
	p := b.place(arg)
	v, ok := b.ld.shown(b.ld.value(b.attr(arg).Expr), p, arg)
	if !ok {
		return preset
	}
	number, err := convert.Convert(v, cty.Number)
	if err != nil || number.IsNull() {
		b.ld.wrongType(p, arg, fmt.Sprintf("a whole number from %d to %d", low, high), v)
		return preset
	}
	n, accuracy := number.AsBigFloat().Int64()
	if accuracy != big.Exact || n < int64(low) || n > int64(high) {
		b.ld.errorAt(p, fmt.Sprintf("%s is out of range", arg), "It is a whole number from %d to %d.", low, high)
		return preset
	}
	return int(n)
}

// boolean reads an argument that is true or false; false when it is not
// written or not usable.
func (b *block) boolean(arg string) bool {
	if !b.has(arg) {
		return false
	}
	p := b.place(arg)
	v, ok := b.ld.shown(b.ld.value(b.attr(arg).Expr), p, arg)
	if !ok {
		return false
	}
	t, err := convert.Convert(v, cty.Bool)
	if err != nil || t.IsNull() {
		b.ld.wrongType(p, arg, "true or false", v)
		return false
	}
	return t.True()
}

// duration reads a time such as "10s"; 0 when it is not written or not usable.
func (b *block) duration(arg string) time.Duration {
	s := b.text(arg)
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		b.ld.errorAt(b.place(arg), fmt.Sprintf("%s is no length of time", arg), `Write a number and its unit, such as "10s" or "1m30s".`)
		return 0
	}
	return d
}

// element is one member of a list, and where it stands.
type element struct {
	value cty.Value
	place place
}

// elements reads a list argument. A list that is written out gives each
// element its own place; one that is computed has one place for all. Unknown
// and null elements are left out.
func (b *block) elements(arg, example string) []element {
	if !b.has(arg) {
		return nil
	}
	p := b.place(arg)
	if exprs, diags := hcl.ExprList(b.attr(arg).Expr); !diags.HasErrors() {
		var found []element
		for _, expr := range exprs {
			ep := place{subject: expr.Range(), context: p.context}
			if v, ok := b.ld.shown(b.ld.value(expr), ep, arg); ok {
				found = append(found, element{v, ep})
			}
		}
		return found
	}
	v, ok := b.ld.shown(b.ld.value(b.attr(arg).Expr), p, arg)
	if !ok {
		return nil
	}
	if ty := v.Type(); !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		b.ld.errorAt(p, fmt.Sprintf("Wrong type for %s", arg), "This is %s, and %s is a list: write %s = %s.", describe(ty), arg, arg, example)
		return nil
	}
	var found []element
	for _, v := range v.AsValueSlice() {
		if !v.IsNull() {
			found = append(found, element{v, p})
		}
	}
	return found
}

// texts reads a list of strings and hands each to check, which reports what is
// wrong with it and returns what to keep.
func (b *block) texts(arg, example string, check func(s string, p place) (string, bool)) []string {
	var kept []string
	for _, e := range b.elements(arg, example) {
		if !e.value.Type().IsPrimitiveType() {
			b.ld.wrongType(e.place, "an entry of "+arg, "a string", e.value)
			continue
		}
		s, ok := b.ld.asText(e.value, e.place, arg)
		if !ok {
			continue
		}
		if s, ok = check(s, e.place); ok {
			kept = append(kept, s)
		}
	}
	return kept
}

// pair is one entry of a map or object.
type pair struct {
	key   string
	value cty.Value
	place place
}

// pairs reads a map argument in the order in which it is written, or by key
// where it is computed. Values keep their marks and may be unknown. The result
// is nil, and not just empty, when there is no map to read.
func (b *block) pairs(arg, example string) []pair {
	if !b.has(arg) {
		return nil
	}
	p := b.place(arg)
	if entries, diags := hcl.ExprMap(b.attr(arg).Expr); !diags.HasErrors() {
		return b.writtenPairs(arg, entries, p)
	}
	v, marks := b.ld.value(b.attr(arg).Expr).Unmark()
	if !v.IsKnown() || v.IsNull() {
		return nil
	}
	if ty := v.Type(); !ty.IsObjectType() && !ty.IsMapType() {
		b.ld.errorAt(p, fmt.Sprintf("Wrong type for %s", arg), "This is %s, and %s is a map: write %s = %s.", describe(ty), arg, arg, example)
		return nil
	}
	found := []pair{}
	for key, v := range v.Elements() {
		name, _ := key.Unmark()
		found = append(found, pair{name.AsString(), v.WithMarks(marks), p})
	}
	return found
}

func (b *block) writtenPairs(arg string, entries []hcl.KeyValuePair, p place) []pair {
	found := []pair{}
	seen := map[string]hcl.Range{}
	for _, entry := range entries {
		kp := place{subject: entry.Key.Range(), context: hcl.RangeBetween(entry.Key.Range(), entry.Value.Range())}
		key, ok := b.ld.shown(b.ld.value(entry.Key), kp, arg)
		if !ok {
			continue
		}
		name, ok := b.ld.asText(key, kp, arg)
		if !ok {
			continue
		}
		if earlier, ok := seen[name]; ok {
			b.ld.errorAt(kp, fmt.Sprintf("%s is given twice", name), "%s has it already at %s. Remove one of the two.", arg, where(earlier))
			continue
		}
		seen[name] = entry.Key.Range()
		found = append(found, pair{name, b.ld.value(entry.Value), at(kp.context)})
	}
	return found
}

// textMap reads a map of strings.
func (b *block) textMap(arg, example string) map[string]string {
	var found map[string]string
	for _, entry := range b.pairs(arg, example) {
		v, ok := b.ld.shown(entry.value, entry.place, arg)
		if !ok {
			continue
		}
		if !v.Type().IsPrimitiveType() {
			b.ld.wrongType(entry.place, fmt.Sprintf("%q in %s", entry.key, arg), "a string", v)
			continue
		}
		if found == nil {
			found = map[string]string{}
		}
		found[entry.key], _ = b.ld.asText(v, entry.place, arg)
	}
	return found
}
