package playbooks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/rmqprov/rmqprov/inventory"
	"github.com/zclconf/go-cty/cty"
)

// Bind puts the inventory's stacks together with their playbooks. It touches
// no host: files of playbook folders are all that it reads. Everything wrong
// with any of the stacks is reported at once; a stack with errors is left out
// of what is returned. Print the diagnostics with the help of Sources.
//
// Where hosts are still to be discovered (no hosts yet, but discover blocks),
// what depends on their number is not checked: bind again when they are known.
func Bind(inv *inventory.Inventory) ([]Stack, hcl.Diagnostics) {
	var stacks []Stack
	var diags hcl.Diagnostics
	for _, want := range inv.Stacks {
		if unsound(want) {
			continue
		}
		stack, d := bindOne(inv, want)
		diags = append(diags, d...)
		if !d.HasErrors() {
			stacks = append(stacks, stack)
		}
	}
	return stacks, append(diags, portCollisions(stacks)...)
}

// unsound says that the inventory could not make sense of the stack and has
// said so: whatever is added here would be about the same mistake.
func unsound(want inventory.Stack) bool {
	for _, in := range want.Inputs {
		if !in.Value.IsWhollyKnown() {
			return true
		}
	}
	return want.Playbook == "" && want.Compose == ""
}

func bindOne(inv *inventory.Inventory, want inventory.Stack) (Stack, hcl.Diagnostics) {
	if want.Compose != "" {
		return bindPlain(inv, want)
	}
	f, missing := open(want.Playbook, inv.Dir, want.Range)
	if missing != nil {
		return Stack{}, hcl.Diagnostics{missing}
	}
	pb, diags := f.decode()
	if diags.HasErrors() {
		return Stack{}, f.attach(place(diags, want.Range))
	}
	b := &binder{inv: inv, want: want, folder: f, playbook: pb, diags: diags, names: map[string]cty.Value{}}
	b.scope = inv.Scope.In(f.fs, b.names)
	b.stack = Stack{
		Name: want.Name, Playbook: want.Playbook, DependsOn: slices.Clone(want.DependsOn), Range: want.Range,
	}
	b.run()
	return b.stack, f.attach(b.diags)
}

// place points what has no place at the stack, and puts the rest in the order
// of the file, which HCL does not keep.
func place(diags hcl.Diagnostics, stack hcl.Range) hcl.Diagnostics {
	for _, d := range diags {
		if d.Subject == nil {
			d.Subject = &stack
		}
	}
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int { return cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte) })
	return diags
}

// binder carries what is known so far while one stack is put together.
type binder struct {
	inv      *inventory.Inventory
	want     inventory.Stack
	folder   *folder
	playbook *playbookBlock
	names    map[string]cty.Value      // what expressions may name so far
	scope    *hcl.EvalContext          // those names, and the functions
	locals   map[string]hcl.Expression // still to be evaluated
	stack    Stack
	diags    hcl.Diagnostics
}

// run goes on to the next part only while there is something to build on: an
// input that is wrong would make a dozen errors of one mistake.
func (b *binder) run() {
	for _, part := range []func(){
		func() { b.nameSurroundings(); b.bindInputs() },
		b.checkSurroundings,
		b.bindLocals,
		b.checkLocals,
		func() {
			b.bindSecrets()
			b.bindConfigs()
			b.bindShape()
			b.bindEnds()
			b.bindRequires()
			b.bindVersions()
			b.bindGates()
			b.bindHooks()
			b.bindBackups()
			b.bindCompose()
		},
		b.checkReferences,
	} {
		part()
		if b.diags.HasErrors() {
			return
		}
	}
}

func (b *binder) fail(at hcl.Range, summary, format string, args ...any) {
	b.diags = append(b.diags, problem(at, summary, fmt.Sprintf(format, args...)))
}

// portCollisions finds two stacks that want the same ports of the hosts.
// Within a stack the slots keep members apart.
func portCollisions(stacks []Stack) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for i := range stacks {
		for j := range i {
			mine, others := hostPorts(&stacks[i]), hostPorts(&stacks[j])
			both := slices.DeleteFunc(mine, func(p string) bool { return !slices.Contains(others, p) })
			if len(both) > 0 {
				diags = append(diags, problem(stacks[i].Range, "Ports taken twice", fmt.Sprintf(
					"The stacks %q and %q both use these ports of the hosts: %s. Give one of them others by its inputs.",
					stacks[j].Name, stacks[i].Name, strings.Join(both, ", "))))
			}
		}
	}
	return diags
}

// hostPorts lists a stack's ports on hosts as "5672/tcp", each once, those
// declared and those published.
func hostPorts(s *Stack) []string {
	var ports []string
	add := func(number int, protocol string) {
		p := fmt.Sprintf("%d/%s", number, protocol)
		if !slices.Contains(ports, p) {
			ports = append(ports, p)
		}
	}
	for _, p := range s.Ports {
		add(p.Number, p.Protocol)
	}
	for _, svc := range s.Services {
		if svc.Spec.EndpointSpec == nil {
			continue
		}
		for _, p := range svc.Spec.EndpointSpec.Ports {
			if p.PublishedPort != 0 {
				add(int(p.PublishedPort), string(p.Protocol))
			}
		}
	}
	return ports
}
