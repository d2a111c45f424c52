package inventory

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// EnvPrefix starts the environment variables that give variables of the
// inventory: RMQPROV_VAR_region gives var.region.
const EnvPrefix = "RMQPROV_VAR_"

// given is a value for a variable from outside of the inventory.
type given struct {
	value cty.Value // NilVal: text holds it
	text  string
	from  string // for the user: "--var", "RMQPROV_VAR_region", "prod.vars.hcl:3"
}

// declareVariables reads the variable blocks and what gives them values: by
// default, by the environment, by files and by --var, the later the stronger.
func (ld *loader) declareVariables() {
	fromFiles := ld.readVarFiles()
	for _, b := range ld.blocks["variable"] {
		if !hclsyntax.ValidIdentifier(b.name) {
			ld.errorAt(b.label(), fmt.Sprintf("Invalid name %q", b.name), "A variable is written var.NAME: its name starts with a letter and holds letters, digits, hyphens and underscores.")
			continue
		}
		ld.declare("var", b.name, b.label(), func() cty.Value { return b.variable(ld.given(b.name, fromFiles)) })
	}
	ld.checkGivenNames(fromFiles)
}

// given returns the strongest value from outside, or nil.
func (ld *loader) given(name string, fromFiles map[string]given) *given {
	if text, ok := ld.opts.Vars[name]; ok {
		return &given{text: text, from: "--var"}
	}
	if g, ok := fromFiles[name]; ok {
		return &g
	}
	if text, ok := ld.env(EnvPrefix + name); ok {
		return &given{text: text, from: EnvPrefix + name}
	}
	return nil
}

// checkGivenNames reports values for variables that do not exist. One in a
// file is only a warning, since a file may serve several inventories.
func (ld *loader) checkGivenNames(fromFiles map[string]given) {
	known := ld.members("var")
	for _, name := range sortedKeys(ld.opts.Vars) {
		if !slices.Contains(known, name) {
			ld.errorAt(place{}, fmt.Sprintf("Unknown variable %q in --var", name), "The inventory has no variable block of this name.%s", suggest(name, known, "%q"))
		}
	}
	for _, name := range sortedKeys(fromFiles) {
		if !slices.Contains(known, name) {
			ld.warnAt(place{}, fmt.Sprintf("Unknown variable %q at %s", name, fromFiles[name].from), "The inventory has no variable block of this name, and the value is not used.%s", suggest(name, known, "%q"))
		}
	}
}

// variable evaluates a variable block.
func (b *block) variable(g *given) cty.Value {
	ty, defaults := b.variableType()
	v := b.variableValue(g, ty)
	if v.IsWhollyKnown() && !v.IsNull() {
		if defaults != nil {
			v = defaults.Apply(v)
		}
		converted, err := convert.Convert(v, ty)
		if err != nil {
			b.unfit(g, err)
			converted = cty.DynamicVal
		}
		v = converted
	}
	if b.boolean("sensitive") {
		v = v.Mark(Sensitive{})
	}
	return v
}

// unfit reports a value that is not of the variable's type. It points at the
// block's head and quotes no value: the value may be a secret.
func (b *block) unfit(g *given, err error) {
	from := "its default"
	if g != nil {
		from = g.from
	}
	b.ld.errorAt(b.label(), fmt.Sprintf("Wrong type for variable %q", b.name), "The value from %s does not fit the variable's type: %s.", from, pathError(err))
}

// pathError says where in a value a conversion failed.
func pathError(err error) string {
	p, ok := errors.AsType[cty.PathError](err)
	if !ok || len(p.Path) == 0 {
		return err.Error()
	}
	var b strings.Builder
	for _, step := range p.Path {
		switch step := step.(type) {
		case cty.GetAttrStep:
			fmt.Fprintf(&b, ".%s", step.Name)
		case cty.IndexStep:
			b.WriteString("[…]")
		}
	}
	return fmt.Sprintf("at %s, %s", b.String(), p.Error())
}

func (b *block) variableType() (cty.Type, *typeexpr.Defaults) {
	if !b.has("type") {
		return cty.DynamicPseudoType, nil
	}
	ty, defaults, diags := typeexpr.TypeConstraintWithDefaults(b.attr("type").Expr)
	for _, d := range diags {
		p := b.place("type")
		b.ld.errorAt(p, fmt.Sprintf("Invalid type of variable %q", b.name), "%s Write for example type = string, list(string) or object({ name = string }).", d.Detail)
		return cty.DynamicPseudoType, nil
	}
	return ty, defaults
}

func (b *block) variableValue(g *given, ty cty.Type) cty.Value {
	switch {
	case g == nil && b.has("default"):
		return b.ld.literal(b.attr("default").Expr, "the default of a variable",
			"A variable is what the inventory is given from outside. Use functions and plain values here, or make it a value in locals.")
	case g == nil:
		b.ld.errorAt(b.label(), fmt.Sprintf("No value for variable %q", b.name),
			"Give it one by --var %s=…, by --var-file, by the environment variable %s%s, or write a default.", b.name, EnvPrefix, b.name)
		return cty.DynamicVal
	case g.value != cty.NilVal:
		return g.value
	default:
		return b.parseGiven(g, ty)
	}
}

// parseGiven reads text from outside: as it stands for a string or number, as
// an expression for what has parts.
func (b *block) parseGiven(g *given, ty cty.Type) cty.Value {
	if ty.IsPrimitiveType() || ty == cty.DynamicPseudoType {
		return cty.StringVal(g.text)
	}
	expr, diags := hclsyntax.ParseExpression([]byte(g.text), g.from, hcl.InitialPos)
	if !diags.HasErrors() {
		var v cty.Value
		if v, diags = expr.Value(nil); !diags.HasErrors() {
			return v
		}
	}
	b.ld.errorAt(b.label(), fmt.Sprintf("Cannot read the value of variable %q", b.name),
		"The value from %s is read as an expression, since the type is %s, and it is none. Write for example '[\"a\", \"b\"]' or '{ name = \"a\" }', in quotes that keep it whole.", g.from, typeexpr.TypeString(ty))
	return cty.DynamicVal
}

// readVarFiles reads the files of variables, the later the stronger. Their
// text stays out of Sources, because they often hold secrets.
func (ld *loader) readVarFiles() map[string]given {
	all := map[string]given{}
	for _, name := range ld.opts.VarFiles {
		text, err := os.ReadFile(name)
		if err != nil {
			ld.errorAt(place{}, "Cannot read a file of variables", "%v. Check the path given by --var-file.", err)
			continue
		}
		for _, attr := range ld.parseVarFile(name, text) {
			v, diags := attr.Expr.Value(nil)
			if diags.HasErrors() {
				ld.errorAt(at(attr.NameRange), fmt.Sprintf("Variable %q is no plain value", attr.Name), "A file of variables holds plain values, without references and functions.")
				v = cty.DynamicVal
			}
			all[attr.Name] = given{value: v, from: where(attr.NameRange)}
		}
	}
	return all
}

func (ld *loader) parseVarFile(name string, text []byte) hcl.Attributes {
	parse := hclsyntax.ParseConfig
	if strings.HasSuffix(name, ".json") {
		parse = func(src []byte, name string, _ hcl.Pos) (*hcl.File, hcl.Diagnostics) { return hcljson.Parse(src, name) }
	}
	file, diags := parse(text, name, hcl.InitialPos)
	if !diags.HasErrors() {
		var attrs hcl.Attributes
		attrs, diags = file.Body.JustAttributes()
		if !diags.HasErrors() {
			return attrs
		}
	}
	for _, d := range diags {
		d.Context, d.Expression, d.EvalContext = nil, nil, nil
		d.Detail += " A file of variables holds lines of the form NAME = VALUE."
		ld.diags = ld.diags.Append(d)
	}
	return nil
}

// validateVariables holds the variables against their validation blocks.
func (ld *loader) validateVariables() {
	for _, b := range ld.blocks["variable"] {
		for _, hb := range b.hcl.Body.Blocks {
			if v := ld.open(hb, b.kind.blocks, "A variable"); v != nil {
				v.validate(b)
			}
		}
	}
}

func (b *block) validate(variable *block) {
	b.require("condition", fmt.Sprintf("length(var.%s) > 0", variable.name))
	b.require("error_message", `"It must …"`)
	if !b.has("condition") || !b.has("error_message") {
		return
	}
	condition := b.attr("condition").Expr
	ctx := b.ld.context(condition)
	held, diags := Evaluate(condition, ctx)
	b.ld.diags = b.ld.diags.Extend(diags)
	held, _ = held.UnmarkDeep()
	if diags.HasErrors() || !held.IsWhollyKnown() {
		return
	}
	held, err := convert.Convert(held, cty.Bool)
	if err != nil || held.IsNull() {
		b.ld.errorAt(b.place("condition"), "A condition must be true or false", "Write a comparison, such as length(var.%s) > 0.", variable.name)
		return
	}
	if held.True() {
		return
	}
	d := diagnose(hcl.DiagError, variable.label(), fmt.Sprintf("Invalid value for variable %q", variable.name),
		fmt.Sprintf("%s\n\nThe rule stands at %s.", b.message(), where(b.header())))
	d.Expression, d.EvalContext = condition, ctx
	b.ld.diags = b.ld.diags.Append(d)
}

// message returns a validation's error message, unless it would give a
// sensitive value away.
func (b *block) message() string {
	v := b.ld.value(b.attr("error_message").Expr)
	if v.ContainsMarked() {
		return "The rule's message is not shown, because it contains a sensitive value."
	}
	if !v.IsWhollyKnown() || v.IsNull() {
		return "The value breaks the rule."
	}
	s, _ := b.ld.asText(v, b.place("error_message"), "error_message")
	return s
}
