package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/rmqprov/rmqprov/inventory"
)

// origin is what an inventory was read from.
type origin struct {
	path      string            // absolute
	files     map[string][]byte // by absolute path; files of variables are not among them
	variables map[string]cty.Value
}

// originOf is taken before playbooks add their files to those that
// diagnostics point into.
func originOf(s source, inv *inventory.Inventory, files map[string]*hcl.File) origin {
	o := origin{path: absolute(s.file), files: map[string][]byte{}, variables: map[string]cty.Value{}}
	for name, f := range files {
		if f != nil {
			o.files[absolute(name)] = f.Bytes
		}
	}
	if inv == nil || inv.Scope == nil {
		return o
	}
	if v, ok := inv.Scope.Variables["var"]; ok && v.IsKnown() && v.Type().IsObjectType() {
		o.variables = v.AsValueMap()
	}
	return o
}

// absolute leaves a path as it is where the working folder is gone.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// secret says whether a variable's value must not be shown.
func secret(v cty.Value) bool { return v.HasMarkDeep(inventory.Sensitive{}) }

// valueText is a variable's value as JSON.
func valueText(v cty.Value) (string, error) {
	v, _ = v.UnmarkDeep()
	text, err := ctyjson.Marshal(v, v.Type())
	return string(text), err
}

// fingerprint is the same for two inventories with the same files and the same
// variables, wherever they lie. Sensitive variables do not count: the record of
// it can be read on the managers.
func (o origin) fingerprint() string {
	h := sha256.New()
	names := map[string]string{}
	for path := range o.files {
		names[filepath.Base(path)] = path
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(h, "file %q %x\n", name, sha256.Sum256(o.files[names[name]]))
	}
	for _, name := range slices.Sorted(maps.Keys(o.variables)) {
		if text, err := valueText(o.variables[name]); err == nil && !secret(o.variables[name]) {
			fmt.Fprintf(h, "variable %q %q\n", name, text)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
