package main

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/cloud"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// find asks EC2 for the hosts that the inventory discovers, and for what it
// leaves open of those that it names, and binds the stacks to them. An inventory
// that needs nothing of EC2 is passed on.
func (a *app) find(ctx context.Context, want plan.Want) (plan.Want, error) {
	inv := want.Inventory
	if !cloud.Needed(inv) {
		return want, nil
	}
	a.cloud = cloud.New(inv)
	done := a.notice("Asking EC2 for the hosts …")
	found, err := a.cloud.Discover(ctx, inv)
	done()
	if err != nil {
		return want, err
	}
	inv, diags := inv.WithHosts(found)
	var stacks []playbooks.Stack
	if !diags.HasErrors() {
		var more hcl.Diagnostics
		if stacks, more = playbooks.Bind(inv); more.HasErrors() { // its warnings were printed when the files were read
			maps.Copy(a.files, playbooks.Sources(more))
			diags = append(append(diags, more...), matches(inv)...)
		}
	}
	if err := a.printDiagnostics(a.Stderr, a.files, diags); err != nil {
		return want, err
	}
	if diags.HasErrors() {
		return want, exit{status: statusFailed}
	}
	return plan.Want{Inventory: inv, Stacks: stacks}, nil
}

// matches says what each discover block found, where that is not enough.
func matches(inv *inventory.Inventory) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, d := range inv.Discover {
		var names []string
		for _, h := range inv.Hosts {
			if h.Range == d.Range {
				names = append(names, fmt.Sprintf("%s (%s)", h.Name, h.InstanceID))
			}
		}
		found := "no instance that is not named already"
		if len(names) > 0 {
			found = count(len(names), "instance that runs", "instances that run") + ": " + strings.Join(names, ", ")
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagWarning, Subject: &d.Range, Summary: "What was discovered",
			Detail: cloud.FilterText(d.Filters) + " matches " + found + ".",
		})
	}
	return diags
}

// trust makes sure that the hosts can be told by the keys that their consoles
// showed, where the inventory wants that.
func (a *app) trust(ctx context.Context, inv *inventory.Inventory) error {
	if inv.SSH.HostKeys != "ec2" {
		return nil
	}
	file, err := cloud.KnownHostsFile(inv)
	if err != nil {
		return err
	}
	say := func(what string) { fmt.Fprintln(a.Stderr, what) }
	return a.cloud.Trust(ctx, inv, file, cloud.Patience{Say: say}, nil)
}

// pinned is how hosts are reached by a program that is told where the keys
// stand that their consoles showed.
func (a *app) pinned(ctx context.Context, inv *inventory.Inventory) (inventory.SSH, error) {
	common := inv.SSH
	err := a.trust(ctx, inv)
	if err == nil && common.HostKeys == "ec2" {
		common.KnownHosts, err = cloud.KnownHostsFile(inv)
	}
	return common, err
}
