package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// stackType is the type of stack.NAME in expressions. No other value has it,
// so that depends_on can tell a stack from anything else that has a name.
var stackType = cty.Object(map[string]cty.Type{"name": cty.String})

// dependency is one entry of a depends_on.
type dependency struct {
	on    string
	place place
}

// declareStacks makes the names of stacks known. Their arguments are read
// later: nothing refers to them.
func (ld *loader) declareStacks() {
	for _, b := range ld.blocks["stack"] {
		value := cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(b.name)})
		if ld.declare("stack", b.name, b.label(), func() cty.Value { return value }) {
			b.checkName()
		}
	}
}

func (ld *loader) decodeStacks() {
	for _, b := range ld.blocks["stack"] {
		stack, dependencies := b.stack()
		if ld.find("stack", b.name).rng != b.label().subject {
			continue // a duplicate, and reported
		}
		ld.inv.Stacks = append(ld.inv.Stacks, stack)
		ld.dependencies[b.name] = dependencies
	}
}

func (b *block) stack() (Stack, []dependency) {
	dependencies := b.dependsOn()
	s := Stack{
		Name:        b.name,
		Playbook:    b.playbook(),
		Compose:     b.compose(),
		Inputs:      b.inputs(),
		Range:       b.header(),
		InputsRange: b.header(),
	}
	if b.has("inputs") {
		s.InputsRange = b.attr("inputs").SrcRange
	}
	for _, d := range dependencies {
		s.DependsOn = append(s.DependsOn, d.on)
	}
	return s, dependencies
}

// inputs reads a stack's inputs; nil when they could not be evaluated.
func (b *block) inputs() map[string]Input {
	entries := b.pairs("inputs", `{ image = "rabbitmq:4.1-management" }`)
	if entries == nil && b.has("inputs") {
		return nil
	}
	inputs := map[string]Input{}
	for _, entry := range entries {
		inputs[entry.key] = Input{Value: entry.value, Range: entry.place.subject}
	}
	return inputs
}

// playbook reads what a stack is made of, where that is a playbook.
func (b *block) playbook() string {
	if !b.has("playbook") {
		if !b.has("compose") {
			b.ld.errorAt(at(b.header()), "Missing playbook or compose", "Write playbook = \"rabbitmq\" for one that the program carries (`rmqprov playbook list`) or ./FOLDER for one of yours, or compose = \"./orders.yml\" for a compose file alone.")
		}
		return ""
	}
	s := b.requiredText("playbook", `"rabbitmq"`)
	if strings.Contains(s, "/") && !isFolder(s) {
		b.ld.errorAt(b.place("playbook"), fmt.Sprintf("Unclear playbook %q", s), "A folder starts with ./, ../ or /: write %q. A name without a slash is a playbook that the program carries.", "./"+s)
		return ""
	}
	return s
}

// compose reads the path of a compose file that stands alone.
func (b *block) compose() string {
	if b.has("compose") && b.has("playbook") {
		b.ld.errorAt(b.place("compose"), "Both playbook and compose", "A stack is made of a playbook or of a compose file. Keep one of them.")
		return ""
	}
	if !b.has("compose") {
		return ""
	}
	return b.requiredText("compose", `"./orders.yml"`)
}

// isFolder reports whether a playbook is a folder of the user's.
func isFolder(playbook string) bool {
	return strings.HasPrefix(playbook, "./") || strings.HasPrefix(playbook, "../") || strings.HasPrefix(playbook, "/")
}

// dependsOn reads the stacks that come first.
func (b *block) dependsOn() []dependency {
	var found []dependency
	for _, e := range b.elements("depends_on", "[stack.consul]") {
		name, ok := b.dependency(e)
		if ok && !slices.ContainsFunc(found, func(d dependency) bool { return d.on == name }) {
			found = append(found, dependency{name, e.place})
		}
	}
	return found
}

// dependency reads stack.NAME or "NAME".
func (b *block) dependency(e element) (string, bool) {
	switch {
	case e.value.Type().Equals(stackType):
		return e.value.GetAttr("name").AsString(), true
	case e.value.Type() != cty.String:
		b.ld.wrongType(e.place, "an entry of depends_on", "a stack, such as stack.consul", e.value)
		return "", false
	}
	name, known := e.value.AsString(), b.ld.members("stack")
	if reference, ok := strings.CutPrefix(name, "stack."); ok && slices.Contains(known, reference) {
		b.ld.errorAt(e.place, fmt.Sprintf("Unknown stack %q", name), "Write %s without quotes.", name)
		return "", false
	}
	if !slices.Contains(known, name) {
		b.ld.errorAt(e.place, fmt.Sprintf("Unknown stack %q", name), "There is no stack %q.%s", name, suggest(name, known, forms["stack"]))
		return "", false
	}
	return name, true
}

// checkDependencies reports stacks that wait for each other, each circle once.
func (ld *loader) checkDependencies() {
	done := map[string]bool{}
	for _, s := range ld.inv.Stacks {
		ld.follow(s.Name, nil, done)
	}
}

// follow goes along the dependencies of a stack. Path is how it was reached.
func (ld *loader) follow(name string, path []string, done map[string]bool) {
	if done[name] {
		return
	}
	path = append(path, name)
	for _, d := range ld.dependencies[name] {
		if i := slices.Index(path, d.on); i >= 0 {
			cycle := append(slices.Clone(path[i:]), d.on)
			ld.errorAt(d.place, "Stacks depend on each other in a circle", "%s. None of them could ever start: remove one of these dependencies.", strings.Join(cycle, " → "))
			continue
		}
		ld.follow(d.on, path, done)
	}
	done[name] = true
}
