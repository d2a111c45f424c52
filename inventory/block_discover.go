package inventory

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// filterName is the form of a name that EC2 filters instances by.
var filterName = regexp.MustCompile(`^(tag:.+|[a-z][a-z0-9.-]*)$`)

func (ld *loader) decodeDiscover() {
	for _, b := range ld.blocks["discover"] {
		if b.name != "ec2" {
			ld.errorAt(b.label(), fmt.Sprintf("Unknown place to discover hosts: %q", b.name), `Hosts are found in EC2: write discover "ec2" { … }, or write host blocks.`)
			continue
		}
		d := Discover{
			Kind:    b.name,
			Region:  b.region(),
			Filters: b.filters(),
			Address: b.choice("address", "private", "private", "public", "ipv6"),
			Range:   b.header(),
		}
		if d.Region == "" {
			d.Region = ld.inv.Cluster.Region
		}
		ld.inv.Discover = append(ld.inv.Discover, d)
	}
}

const filtersExample = `{ "tag:Cluster" = "rmq" }`

// filters reads the filters of a discovery, each with one value or several.
func (b *block) filters() map[string][]string {
	found := map[string][]string{}
	entries := b.pairs("filters", filtersExample)
	if !b.has("filters") || (entries != nil && len(entries) == 0) {
		b.ld.errorAt(at(b.header()), "Discovery without filters", "Every running instance in the region would be a host. Write filters = %s.", filtersExample)
	}
	for _, entry := range entries {
		if !filterName.MatchString(entry.key) {
			b.ld.errorAt(entry.place, fmt.Sprintf("Invalid filter %q", entry.key), "%s", filterAdvice(entry.key))
			continue
		}
		if values := b.filterValues(entry); len(values) > 0 {
			found[entry.key] = values
		}
	}
	return found
}

func filterAdvice(key string) string {
	if _, tag, ok := strings.Cut(key, ":"); ok && tag != "" {
		return fmt.Sprintf("A tag is matched by %q.", "tag:"+tag)
	}
	return `Write "tag:KEY" for a tag, or a filter of EC2's DescribeInstances such as "vpc-id".`
}

// filterValues reads the value of a filter: a string, or a list of strings of
// which one must match.
func (b *block) filterValues(entry pair) []string {
	v, ok := b.ld.shown(entry.value, entry.place, "filters")
	if !ok {
		return nil
	}
	if v.Type().IsPrimitiveType() {
		v = cty.TupleVal([]cty.Value{v})
	}
	list, err := convert.Convert(v, cty.List(cty.String))
	if err != nil {
		b.ld.wrongType(entry.place, "a filter", "a string or a list of strings", v)
		return nil
	}
	var values []string
	for _, e := range list.AsValueSlice() {
		if !e.IsNull() {
			values = append(values, e.AsString())
		}
	}
	return values
}
