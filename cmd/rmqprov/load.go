package main

import (
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// source says which inventory, and what its variables are.
type source struct {
	file     string
	vars     []string
	varFiles []string
	targets  []string // ids of steps; none: all
	around   bool     // plan around hosts that cannot be reached
	force    string   // the cluster whose majorities may be lost, forceAsk where its name is asked for, "" for none
}

func (s *source) flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&s.vars, "var", nil, "give a variable its value, as `NAME=VALUE`; may be repeated")
	c.Flags().StringArrayVar(&s.varFiles, "var-file", nil, "read variables from a `FILE` of NAME = VALUE lines; may be repeated, and the last one wins")
}

// load reads the inventory and its playbooks, and prints everything wrong
// with them. The error says only that there was something.
func (a *app) load(s source) (plan.Want, error) {
	want, _, err := a.loadFrom(s)
	return want, err
}

// loadFrom is load, and says what the inventory was read from.
func (a *app) loadFrom(s source) (plan.Want, origin, error) {
	vars, err := assignments(s.vars)
	if err != nil {
		return plan.Want{}, origin{}, err
	}
	inv, files, diags := inventory.Load(s.file, inventory.Options{Vars: vars, VarFiles: s.varFiles, Env: a.Env})
	from := originOf(s, inv, files)
	a.files = files
	var stacks []playbooks.Stack
	if inv != nil {
		var more hcl.Diagnostics
		stacks, more = playbooks.Bind(inv)
		maps.Copy(files, playbooks.Sources(more))
		diags = append(diags, more...)
	}
	if err := a.printDiagnostics(a.Stderr, files, diags); err != nil {
		return plan.Want{}, from, err
	}
	if diags.HasErrors() {
		return plan.Want{}, from, exit{status: statusFailed}
	}
	return plan.Want{Inventory: inv, Stacks: stacks, AllowUnreachable: s.around, ForceQuorumLoss: s.force != ""}, from, nil
}

func (a *app) printDiagnostics(w io.Writer, files map[string]*hcl.File, diags hcl.Diagnostics) error {
	colour := a.colour(a.StderrTerminal, a.noColour)
	return hcl.NewDiagnosticTextWriter(w, files, a.columns(), colour).WriteDiagnostics(diags)
}

func assignments(given []string) (map[string]string, error) {
	vars := map[string]string{}
	for _, g := range given {
		name, value, ok := strings.Cut(g, "=")
		if !ok || name == "" {
			// What was given may be a secret's value without its name.
			return nil, fmt.Errorf("--var takes NAME=VALUE, and one of those given has no name or no =")
		}
		vars[name] = value
	}
	return vars, nil
}
