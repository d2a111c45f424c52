package playbooks

import (
	"crypto/sha1"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// nameSurroundings gives expressions what lies outside the playbook: stack,
// cluster, hosts and networks.
func (b *binder) nameSurroundings() {
	b.names["stack"] = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(b.want.Name)})
	b.names["cluster"] = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(b.inv.Cluster.Name)})
	var hosts, networks []cty.Value
	for _, h := range b.inv.Hosts {
		hosts = append(hosts, cty.ObjectVal(map[string]cty.Value{
			"name": cty.StringVal(h.Name), "address": cty.StringVal(h.Address), "private": cty.StringVal(h.Private),
			"zone": cty.StringVal(h.Zone), "type": cty.StringVal(h.Type), "role": cty.StringVal(h.Role),
		}))
	}
	for _, n := range b.inv.Networks {
		networks = append(networks, cty.ObjectVal(map[string]cty.Value{
			"name": cty.StringVal(n.Name), "subnet": cty.StringVal(n.Subnet), "mtu": cty.NumberIntVal(int64(n.MTU)),
			"attachable": cty.BoolVal(n.Attachable), "encrypted": cty.BoolVal(n.Encrypted),
		}))
	}
	b.names["hosts"] = cty.TupleVal(hosts)
	b.names["networks"] = cty.TupleVal(networks)
}

// bindLocals evaluates locals in the order in which they need each other.
// Those that look at slots wait until the slots are bound, because the number
// of slots may depend on other locals.
func (b *binder) bindLocals() {
	b.locals = map[string]hcl.Expression{}
	for _, block := range b.playbook.Locals {
		attrs, d := block.Body.JustAttributes()
		b.diags = append(b.diags, d...)
		for name, attr := range attrs {
			b.locals[name] = attr.Expr
		}
	}
	done := map[string]cty.Value{}
	b.evalLocals(done, func(expr hcl.Expression) bool { return !names(expr, "slots") })
	b.bindSlots()
	b.evalLocals(done, func(hcl.Expression) bool { return true })
	if len(b.locals) > 0 {
		left := slices.Sorted(maps.Keys(b.locals))
		b.fail(b.locals[left[0]].Range(), "Locals in a circle", "These locals need each other: %s.", listed(left))
	}
}

// evalLocals moves what can be evaluated from b.locals to done.
func (b *binder) evalLocals(done map[string]cty.Value, allowed func(hcl.Expression) bool) {
	for progress := true; progress; {
		progress = false
		b.names["local"] = cty.ObjectVal(done)
		for _, name := range slices.Sorted(maps.Keys(b.locals)) {
			expr := b.locals[name]
			if !allowed(expr) || slices.ContainsFunc(localsIn(expr), func(n string) bool { _, waits := b.locals[n]; return waits }) {
				continue
			}
			done[name] = b.eval(expr, b.scope)
			delete(b.locals, name)
			progress = true
			b.names["local"] = cty.ObjectVal(done)
		}
	}
}

func names(expr hcl.Expression, root string) bool {
	return slices.ContainsFunc(expr.Variables(), func(t hcl.Traversal) bool { return t.RootName() == root })
}

func localsIn(expr hcl.Expression) []string {
	var names []string
	for _, t := range expr.Variables() {
		if t.RootName() != "local" || len(t) < 2 {
			continue
		}
		if attr, ok := t[1].(hcl.TraverseAttr); ok {
			names = append(names, attr.Name)
		}
	}
	return names
}

var slotName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,50}[a-z0-9])?$`)

// maxMembers bounds a slot set, so that a slip of the hand fills no memory.
const maxMembers = 10_000

// bindSlots names the members and checks that there are hosts for them.
func (b *binder) bindSlots() {
	sets := map[string]cty.Value{}
	for _, block := range b.playbook.Slots {
		if !slotName.MatchString(block.Name) {
			b.fail(block.DefRange, "Invalid name", "Members are known by their names in the network: %q must be lower-case letters, digits and hyphens, and begin with a letter.", block.Name)
		}
		n := b.number(block.Count, "count")
		if n < 1 && !b.diags.HasErrors() {
			b.fail(b.inputBehind(block.Count), "No members", "The playbook %q needs at least one member of %q, not %d.", b.want.Playbook, block.Name, n)
		}
		if hosts := len(b.inv.Hosts); n > hosts && hosts > 0 {
			b.fail(b.inputBehind(block.Count), "Members without a host",
				"%d members on %d hosts: %q places at most one member on a host. Add hosts, or ask for fewer members.", n, hosts, block.Name)
			n = hosts
		}
		if n > maxMembers { // hosts that are still to be discovered set no bound
			b.fail(b.inputBehind(block.Count), "Too many members", "%d members of %q are more than the %d that a set may have.", n, block.Name, maxMembers)
			n = 0
		}
		set := SlotSet{Name: block.Name, Range: block.DefRange}
		var values []cty.Value
		for i := 1; i <= n; i++ {
			name := fmt.Sprintf("%s-%02d", block.Name, i)
			set.Names = append(set.Names, name)
			values = append(values, b.slotValue(name, i))
		}
		b.stack.Slots = append(b.stack.Slots, set)
		sets[block.Name] = cty.TupleVal(values)
	}
	b.names["slots"] = cty.ObjectVal(sets)
}

// slotValue is what expressions see of a slot. The uuid is the same for ever,
// for systems that know their members by one.
func (b *binder) slotValue(name string, index int) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"name":  cty.StringVal(name),
		"index": cty.NumberIntVal(int64(index)),
		"label": cty.StringVal(NodeLabel(name)),
		"uuid":  cty.StringVal(nameUUID(b.inv.Cluster.Name + "/" + b.want.Name + "/" + name)),
	})
}

// nameUUID is a version 5 UUID in the namespace of URLs.
func nameUUID(name string) string {
	namespace := []byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	sum := sha1.Sum(append(namespace, "rmqprov:"+name...))
	u := sum[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
