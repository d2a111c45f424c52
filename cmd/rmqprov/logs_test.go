package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision"
)

func TestFindServices(t *testing.T) {
	stacks := []playbooks.Stack{
		{Name: "db", Services: []playbooks.Service{{Name: "db_db-01"}, {Name: "db_exporter"}}},
		{Name: "web", Services: []playbooks.Service{{Name: "web_web"}, {Name: "web_exporter"}}},
	}
	tests := []struct{ name, want, err string }{
		{"db", "db_db-01 db_exporter", ""},
		{"web", "web_web web_exporter", ""},
		{"db-01", "db_db-01", ""},
		{"db/exporter", "db_exporter", ""},
		{"db_exporter", "db_exporter", ""},
		{"exporter", "", "several stacks have a service exporter\n→ say which: db_exporter, web_exporter"},
		{"cache", "", "there is no service cache\n→ these are there: db/db-01, db/exporter, web/web, web/exporter"},
	}
	for _, tt := range tests {
		got, err := findServices(stacks, tt.name)
		switch {
		case tt.err != "" && (err == nil || err.Error() != tt.err):
			t.Errorf("%s: got error %v, want %s", tt.name, err, tt.err)
		case tt.err == "" && (err != nil || strings.Join(got, " ") != tt.want):
			t.Errorf("%s: got %v, %v, want %s", tt.name, got, err, tt.want)
		}
	}
}

func TestSinceTime(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                     {},
		"90s":                  now.Add(-90 * time.Second),
		"2026-01-31T11:00:00Z": now.Add(-time.Hour),
	} {
		if got, err := sinceTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"-5m", "5", "noon"} {
		if got, err := sinceTime(text, now); err == nil {
			t.Errorf("%q was taken for %v", text, got)
		}
	}
}

func TestLogPrinterKeepsAContainersColour(t *testing.T) {
	var out strings.Builder
	p := &logPrinter{out: &out, host: 6, service: 8}
	line := provision.LogLine{Time: time.Date(2026, 1, 31, 12, 0, 0, 5e6, time.UTC), Host: "a", Service: "db_db-01", Container: "c1", Text: "ready"}
	p.print(line)
	if diff := cmp.Diff("2026-01-31T12:00:00.005Z a      db_db-01  ready\n", out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	p.colour = true
	p.print(line)
	p.print(line)
	lines := strings.SplitAfter(out.String(), "\n")
	if lines[0] != lines[1] || !strings.HasPrefix(lines[0], "\x1b[") || !strings.Contains(lines[0], "\x1b[0m  ready") {
		t.Errorf("got %q", lines)
	}
}
