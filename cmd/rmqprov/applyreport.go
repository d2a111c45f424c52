package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/report"
	"github.com/rmqprov/rmqprov/provision/plan"
)

func (o *applying) reportFlag(c *cobra.Command) {
	c.Flags().StringVar(&o.report, "report", "", "write a page about the run into the folder `DIR`: its timeline, the plan, the outcome")
}

// reportFolder makes the folder for a report before any host is touched: a run
// of minutes shall not end in a report that has no place.
func reportFolder(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("the folder for the report: %w; nothing was touched", err)
	}
	return nil
}

// report writes the page of a run where one is wanted. What was done stays
// done, so a page that cannot be written is a warning.
func (a *app) report(o applying, seen *observed, p *plan.Plan, r result) {
	if o.report == "" {
		return
	}
	run := a.reportOf(o, seen, p, r)
	path := filepath.Join(o.report, fmt.Sprintf("%s-%s.html", run.Cluster, run.Began.UTC().Format("20060102T150405Z")))
	var page bytes.Buffer
	err := report.Write(&page, run)
	if err == nil {
		err = os.WriteFile(path, page.Bytes(), 0o644)
	}
	if err != nil {
		fmt.Fprintf(a.Stderr, "rmqprov: warning: the report of this run could not be written: %v\n", err)
		return
	}
	fmt.Fprintf(a.Stderr, "Report: %s\n", path)
}

func (a *app) reportOf(o applying, seen *observed, p *plan.Plan, r result) report.Run {
	run := report.Run{
		Cluster: seen.want.Inventory.Cluster.Name, Verb: o.verb(), From: cmp.Or(o.from.path, o.file), By: a.operator(), Version: a.Version,
		Began: r.began, Took: r.Took, Interrupted: r.stopped && len(r.Skipped()) > 0, Steps: r.steps, LeftOut: p.LeftOut,
	}
	if p.Empty() {
		run.Began = time.Now()
	}
	for _, h := range seen.want.Inventory.Hosts {
		found, host := seen.got.Hosts[h.Name], report.Host{Name: h.Name, Address: h.Address}
		host.System = or(found.Facts.Value.OS.Pretty)
		if found.Engine.Value != nil {
			host.Docker = found.Engine.Value.Version
		}
		run.Hosts = append(run.Hosts, host)
	}
	for _, s := range seen.want.Stacks {
		var images []string
		for _, svc := range s.Services {
			images = append(images, svc.Spec.TaskTemplate.ContainerSpec.Image)
		}
		slices.Sort(images)
		run.Stacks = append(run.Stacks, report.Stack{Name: s.Name, Images: slices.Compact(images)})
	}
	return run
}
