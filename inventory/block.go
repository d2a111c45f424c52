package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// kind describes one type of block.
type kind struct {
	name   string
	label  string   // an example of its label, "" when it takes none
	single bool     // at most one in an inventory
	open   bool     // any argument is allowed
	args   []string // in the order in which they are listed to the user
	blocks []*kind
}

// kinds are the blocks of an inventory, in the order in which they are listed
// to the user.
var kinds = []*kind{
	{name: "variable", label: "admin_password", args: []string{"default", "type", "sensitive", "description"},
		blocks: []*kind{{name: "validation", args: []string{"condition", "error_message"}}}},
	{name: "locals", open: true},
	{name: "cluster", label: "rmq", single: true, args: []string{"region"}},
	{name: "ssh", single: true, args: []string{"user", "port", "identity", "host_keys", "known_hosts", "jump", "config", "sudo_password", "dial_timeout", "instance_connect"}},
	{name: "host", label: "node-1", args: []string{"address", "private", "role", "zone", "instance_id", "type", "labels", "user", "port", "identity", "jump"}},
	{name: "discover", label: "ec2", args: []string{"filters", "region", "address"}},
	{name: "security_group", label: "rmq", single: true, args: []string{"clients", "operators", "adopt"}},
	{name: "docker", single: true, args: []string{"registry_mirrors", "insecure_registries", "log_max_size", "log_max_file", "settings"}},
	{name: "swarm", single: true, args: []string{"address_pools", "subnet_size", "data_path_port"}},
	{name: "network", label: "prod", args: []string{"subnet", "mtu", "attachable", "encrypted"}},
	{name: "image", label: "orders", args: []string{"build"}},
	{name: "stack", label: "rabbitmq", args: []string{"playbook", "compose", "inputs", "depends_on"}},
	{name: "file", label: "motd", args: []string{"path", "source", "content", "hosts", "mode", "owner", "group", "restart"}},
}

// a starts a sentence about a block of the kind.
func (k *kind) a() string {
	if k.name == "ssh" || k.name == "image" {
		return "An " + k.name
	}
	return "A " + k.name
}

// form is how a block of the kind is written.
func (k *kind) form() string {
	if k.label == "" {
		return k.name + " { … }"
	}
	return fmt.Sprintf("%s %q { … }", k.name, k.label)
}

func kindNames(kinds []*kind) []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// block is one block of the files, with the means to read its arguments. The
// reading is in attribute.go.
type block struct {
	ld   *loader
	kind *kind
	hcl  *hclsyntax.Block
	name string // its label
}

// header is the place of the block's type and label.
func (b *block) header() hcl.Range { return b.hcl.DefRange() }

// label is the place of the block's name.
func (b *block) label() place {
	if len(b.hcl.LabelRanges) == 0 {
		return at(b.header())
	}
	return place{subject: b.hcl.LabelRanges[0], context: b.header()}
}

// collect sorts the blocks of a file by type and checks their outer form.
func (ld *loader) collect(body *hclsyntax.Body) {
	for _, attr := range inOrder(body.Attributes) {
		ld.errorAt(at(attr.NameRange), fmt.Sprintf("Argument %q outside of any block", attr.Name), "%s", outsideHint(attr.Name))
	}
	for _, hb := range body.Blocks {
		b := ld.open(hb, kinds, "An inventory")
		if b == nil {
			continue
		}
		if earlier := ld.blocks[b.kind.name]; b.kind.single && len(earlier) > 0 {
			ld.errorAt(at(b.header()), fmt.Sprintf("Second %s block", b.kind.name),
				"An inventory has one %s block, and it stands at %s. Move these arguments there.", b.kind.name, where(earlier[0].header()))
			continue
		}
		ld.blocks[b.kind.name] = append(ld.blocks[b.kind.name], b)
	}
}

// open checks a block's type, label and the names of its arguments and inner
// blocks. It returns nil for a block that cannot be read.
func (ld *loader) open(hb *hclsyntax.Block, kinds []*kind, holder string) *block {
	i := slices.IndexFunc(kinds, func(k *kind) bool { return k.name == hb.Type })
	if i < 0 {
		ld.errorAt(place{subject: hb.TypeRange, context: hb.DefRange()}, fmt.Sprintf("Unknown block %q", hb.Type),
			"%s has no block of this type.%s", holder, blockHint(hb.Type, kinds))
		return nil
	}
	b := &block{ld: ld, kind: kinds[i], hcl: hb}
	if !b.readLabel() {
		return nil
	}
	b.checkNames()
	return b
}

func (b *block) readLabel() bool {
	labels := b.hcl.Labels
	switch {
	case b.kind.label == "" && len(labels) > 0:
		b.ld.errorAt(b.label(), b.kind.a()+" block has no name", "Write %s { … }.", b.kind.name)
	case b.kind.label != "" && len(labels) == 0:
		b.ld.errorAt(at(b.header()), b.kind.a()+" block needs a name", "Write the name in quotes: %s %q { … }.", b.kind.name, b.kind.label)
		return false
	case len(labels) > 1:
		b.ld.errorAt(place{subject: b.hcl.LabelRanges[1], context: b.header()}, b.kind.a()+" block has one name", "Write %s %q { … }.", b.kind.name, labels[0])
	}
	if b.kind.label != "" {
		b.name = labels[0]
	}
	return true
}

// checkNames reports arguments and inner blocks that the block does not have.
func (b *block) checkNames() {
	inner := kindNames(b.kind.blocks)
	for _, attr := range inOrder(b.hcl.Body.Attributes) {
		if b.kind.open || slices.Contains(b.kind.args, attr.Name) {
			continue
		}
		b.ld.errorAt(place{subject: attr.NameRange, context: attr.SrcRange}, fmt.Sprintf("Unknown argument %q", attr.Name), "%s", b.unknownArgument(attr.Name, inner))
	}
	for _, hb := range b.hcl.Body.Blocks {
		if slices.Contains(inner, hb.Type) {
			continue
		}
		detail := b.kind.a() + " block has no block of this type." + innerHint(hb.Type, inner)
		if slices.Contains(b.kind.args, hb.Type) || b.kind.open {
			detail = fmt.Sprintf("%s is an argument of a %s block: write %s = …, with an equals sign.", hb.Type, b.kind.name, hb.Type)
		}
		b.ld.errorAt(place{subject: hb.TypeRange, context: hb.DefRange()}, fmt.Sprintf("Unknown block %q", hb.Type), "%s", detail)
	}
}

func (b *block) unknownArgument(name string, inner []string) string {
	none := b.kind.a() + " block has no argument of this name."
	switch {
	case slices.Contains(inner, name):
		return fmt.Sprintf("%s is a block: write %s { … }, without an equals sign.", name, name)
	case slices.Contains(b.kind.args, synonyms[name]):
		return fmt.Sprintf("%s Write %s = … instead.", none, synonyms[name])
	case name == "count" || name == "for_each":
		return fmt.Sprintf("%s Write a %s block for each one.", none, b.kind.name)
	case nearest(name, b.kind.args) == "" && len(holders(name)) > 0:
		return fmt.Sprintf("%s It belongs in a %s block.", none, strings.Join(holders(name), " or "))
	case nearest(name, b.kind.args) == "" && slices.Contains(b.kind.args, "inputs"):
		return fmt.Sprintf("%s What the playbook takes stands in inputs = { %s = … }.", none, name)
	default:
		return none + suggest(name, b.kind.args, "%q")
	}
}

// blockHint says which block was probably meant.
func blockHint(given string, kinds []*kind) string {
	known := kindNames(kinds)
	switch {
	case slices.Contains(known, blockSynonyms[given]):
		return fmt.Sprintf(" Write %s.", blockSynonyms[given])
	case slices.Contains(terraform, given):
		return ` It is Terraform's. An inventory describes hosts that exist: write host "node-1" { … }, or discover "ec2" { … } to find them by tag.`
	default:
		return suggest(given, known, "%q")
	}
}

// holders returns the types of block that have an argument.
func holders(arg string) []string {
	var names []string
	for _, k := range kinds {
		if slices.Contains(k.args, arg) {
			names = append(names, k.name)
		}
	}
	return names
}

// outsideHint says where an argument goes that stands outside of any block.
func outsideHint(arg string) string {
	if i := slices.IndexFunc(kinds, func(k *kind) bool { return k.name == arg }); i >= 0 {
		return fmt.Sprintf("%s is a block: write %s, without an equals sign.", arg, kinds[i].form())
	}
	if names := holders(arg); len(names) > 0 {
		return fmt.Sprintf("Write it inside a %s block.", strings.Join(names, " or "))
	}
	return fmt.Sprintf("Write it inside the block that it belongs to. A value of your own goes into locals { %s = … }.", arg)
}

// innerHint suggests an inner block, where there are any.
func innerHint(given string, inner []string) string {
	switch {
	case len(inner) > 0:
		return suggest(given, inner, "%q")
	case slices.Contains(kindNames(kinds), given):
		return " Write it outside, beside this one."
	default:
		return ""
	}
}

// inOrder returns a body's arguments in the order in which they are written.
func inOrder(attrs hclsyntax.Attributes) []*hclsyntax.Attribute {
	return slices.SortedFunc(maps.Values(attrs), func(a, b *hclsyntax.Attribute) int {
		return a.SrcRange.Start.Byte - b.SrcRange.Start.Byte
	})
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
