package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
)

// known is what an inventory names. It is read from its files; no host is asked.
type known struct {
	inv    *inventory.Inventory
	stacks []playbooks.Stack
}

// candidates are what may stand for a placeholder of a usage line, by the
// placeholder: a new verb that says HOST is completed without more ado.
var candidates = map[string]func(known) []string{
	"HOST": func(k known) []string {
		return namesOf(k.inv.Hosts, func(h inventory.Host) string { return h.Name })
	},
	"STACK": func(k known) []string {
		return namesOf(k.inv.Stacks, func(s inventory.Stack) string { return s.Name })
	},
	"SERVICE":      services,
	"[STACK/]NAME": consoles,
	"SECRET":       secrets,
	"--var":        assignable,
	"--format":     func(known) []string { return []string{"dot", "mermaid", "svg"} },
	"--of":         func(known) []string { return []string{"cluster", "plan"} },
	"SHELL":        func(known) []string { return []string{"bash", "fish", "powershell", "zsh"} },
	"show NAME": func(known) []string {
		return namesOf(playbooks.List(), func(i playbooks.Info) string { return i.Name })
	},
}

func namesOf[T any](all []T, name func(T) string) []string {
	var names []string
	for _, x := range all {
		names = append(names, name(x))
	}
	return names
}

// services are the stacks, and the services of each.
func services(k known) []string {
	var names []string
	for _, s := range k.stacks {
		names = append(names, s.Name)
		for _, svc := range s.Services {
			names = append(names, s.Name+"/"+strings.TrimPrefix(svc.Name, s.Name+"_"))
		}
	}
	return names
}

func consoles(k known) []string {
	var names []string
	for _, s := range k.stacks {
		names = append(names, namesOf(s.Consoles, func(c playbooks.Console) string { return s.Name + "/" + c.Name })...)
	}
	return names
}

func secrets(k known) []string {
	var names []string
	for _, s := range k.stacks {
		names = append(names, namesOf(s.Secrets, func(x playbooks.Secret) string { return s.Name + "/" + x.Name })...)
	}
	return names
}

// assignable are the variables, as --var takes them.
func assignable(k known) []string {
	v, ok := k.inv.Scope.Variables["var"]
	if !ok || !v.Type().IsObjectType() {
		return nil
	}
	var names []string
	for name := range v.Type().AttributeTypes() {
		names = append(names, name+"=")
	}
	slices.Sort(names)
	return names
}

// know reads what can be read of an inventory, be it sound or not.
func (a *app) know(c *cobra.Command, file string) (known, bool) {
	o := inventory.Options{Env: a.Env}
	if given, err := c.Flags().GetStringArray("var"); err == nil {
		o.Vars, _ = assignments(given)
	}
	if given, err := c.Flags().GetStringArray("var-file"); err == nil {
		o.VarFiles = given
	}
	inv, _, _ := inventory.Load(file, o)
	if inv == nil || inv.Scope == nil {
		return known{}, false
	}
	stacks, _ := playbooks.Bind(inv)
	return known{inv, stacks}, true
}

// complete gives a command, and those below it, their completions.
func (a *app) complete(c *cobra.Command) {
	if c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 && c.Runnable() {
		c.ValidArgsFunction = a.completeArgument
	}
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if complete := a.completeFlag(f); complete != nil {
			if err := c.RegisterFlagCompletionFunc(f.Name, complete); err != nil {
				panic(err) // two functions for one flag
			}
		}
	})
	for _, sub := range c.Commands() {
		a.complete(sub)
	}
}

// completeFlag completes the value of a flag by its name, or by the placeholder
// in its usage; nil leaves files to the shell.
func (a *app) completeFlag(f *pflag.Flag) cobra.CompletionFunc {
	placeholder, _ := pflag.UnquoteUsage(f)
	if specific := "--" + f.Name; candidates[specific] != nil {
		placeholder = specific
	}
	directive := cobra.ShellCompDirectiveNoFileComp
	switch {
	case placeholder == "DIR":
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		}
	case candidates[placeholder] == nil:
		return nil
	case placeholder == "--var":
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.suggest(c, placeholder, inventoryAmong(c, args)), directive
	}
}

// suggest lists what may stand for a placeholder.
func (a *app) suggest(c *cobra.Command, placeholder, file string) []string {
	k, ok := a.know(c, file)
	if !ok {
		k = known{inv: &inventory.Inventory{Scope: &inventory.Scope{}}}
	}
	return candidates[placeholder](k)
}

// takesFile says that a usage line begins with an inventory that may be left
// out.
func takesFile(c *cobra.Command) bool { return strings.Contains(c.Use, "[FILE") }

// inventoryAmong is the inventory that the arguments of a verb name so far.
func inventoryAmong(c *cobra.Command, args []string) string {
	if takesFile(c) && len(args) > 0 && looksLikeFile(args[0]) {
		return args[0]
	}
	return defaultFile
}

// placeholders are the words of a usage line behind the verb and its [FILE], up to
// the flags that it has.
func placeholders(c *cobra.Command) []string {
	_, rest, _ := strings.Cut(c.Use, " ")
	rest, _, _ = strings.Cut(rest, "--")
	return strings.Fields(optionalInventory.ReplaceAllString(rest, ""))
}

var optionalInventory = regexp.MustCompile(`\[FILE[^\]]*\]`)

// completeArgument completes the words of a verb, as its usage line has them.
func (a *app) completeArgument(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	file, first := inventoryAmong(c, args), len(args) == 0
	if len(args) > 0 && takesFile(c) && looksLikeFile(args[0]) {
		args = args[1:]
	}
	want := placeholders(c)
	switch {
	case len(args) < len(want):
		return a.completeWord(c, want[len(args)], file, first)
	case first && takesFile(c) && !strings.Contains(c.Use, "PLAN"):
		return []string{"hcl"}, cobra.ShellCompDirectiveFilterFileExt
	case first && takesFile(c):
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeWord completes one placeholder. Where it stands first, an inventory may
// stand there as well.
func (a *app) completeWord(c *cobra.Command, placeholder, file string, first bool) ([]string, cobra.ShellCompDirective) {
	if specific := c.Name() + " " + placeholder; candidates[specific] != nil {
		placeholder = specific
	}
	switch {
	case strings.Contains(placeholder, "DIR"):
		return nil, cobra.ShellCompDirectiveFilterDirs
	case candidates[placeholder] == nil:
		return nil, cobra.ShellCompDirectiveDefault
	}
	found := a.suggest(c, placeholder, file)
	if first && takesFile(c) || placeholder == "show NAME" {
		return found, cobra.ShellCompDirectiveDefault
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}
