package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// engineThatFails begins the first step and fails it.
func engineThatFails(_ context.Context, p *plan.Plan, _ <-chan struct{}, emit func(provision.Event)) provision.Report {
	s := p.Steps[0]
	emit(provision.Event{Time: time.Now(), Kind: provision.Started, Step: s.ID})
	emit(provision.Event{Time: time.Now(), Kind: provision.Failed, Step: s.ID, Message: "no space left"})
	return provision.Report{Took: time.Second, Outcomes: []provision.Outcome{{Step: s, Kind: provision.Failed, Err: errors.New("no space left")}}}
}

func TestRunsLeaveAReport(t *testing.T) {
	for verb, o := range map[string]applying{
		"apply": {}, "rollback": {rollback: true}, "reboot": {deed: deed{verb: "reboot"}}, "destroy": {deed: deed{verb: "destroy"}},
	} {
		t.Run(verb, func(t *testing.T) { checkReport(t, verb, o) })
	}
}

func checkReport(t *testing.T, verb string, o applying) {
	dir := filepath.Join(t.TempDir(), "reports", "today")
	if err := reportFolder(dir); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &app{environment: environment{Stderr: &out, Version: "v1", Env: os.LookupEnv}, stop: &interrupts{}}
	want, got, p := halfBuilt()
	p.Steps[0].Summary = "label the node"
	o.file, o.report = "prod.hcl", dir
	a.report(o, &observed{want: want, got: got}, p, a.carryOut(t.Context(), engineThatFails, p, false))
	pages, err := filepath.Glob(filepath.Join(dir, "rmq-*Z.html"))
	if err != nil || len(pages) != 1 {
		t.Fatalf("pages: %v, %v\n%s", pages, err, out.String())
	}
	page, err := os.ReadFile(pages[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{verb + " of cluster rmq", "failed", "label the node", "no space left", "prod.hcl", "image-of:db_db-01", "192.0.2.2"} {
		if !strings.Contains(string(page), says) {
			t.Errorf("the page does not say %q", says)
		}
	}
	if !strings.Contains(out.String(), "Report: "+pages[0]) {
		t.Errorf("it does not say where the report is:\n%s", out.String())
	}
}

func TestAReportWithoutAPlaceIsSaidFirst(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := reportFolder(file); err == nil || !strings.Contains(err.Error(), "nothing was touched") {
		t.Errorf("a report into a file: %v", err)
	}
}
