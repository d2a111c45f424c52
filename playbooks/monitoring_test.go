package playbooks

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// With all that it watches, and with nothing but the hosts.
func TestBindMonitoring(t *testing.T) {
	_, diags := load(t, "testdata/monitoring.hcl", nil)
	if !strings.Contains(diags, "Ports taken twice") || strings.Count(diags, "Error:") != 1 {
		t.Errorf("diagnostics:\n%s", diags)
	}
	stacks, _ := load(t, "testdata/monitoring.hcl", nil)
	for _, s := range stacks {
		for _, f := range s.Files {
			if filepath.Ext(f.Name) == ".yml" {
				golden(t, filepath.Join("monitoring", s.Name, f.Name), f.Content)
			}
		}
	}
}

// Grafana takes dashboards that are sound JSON and name a data source that is there.
func TestDashboards(t *testing.T) {
	stacks, _ := load(t, "testdata/monitoring.hcl", nil)
	seen := 0
	for _, c := range stacks[0].Configs {
		if !strings.HasSuffix(c.Name, ".json") {
			continue
		}
		seen++
		var board struct {
			UID    string
			Panels []struct {
				Title      string
				Datasource struct{ UID string }
				Targets    []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(c.Content, &board); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if board.UID != "rmqprov-"+strings.TrimSuffix(c.Name, ".json") || len(board.Panels) < 8 {
			t.Errorf("%s: uid %q, %d panels", c.Name, board.UID, len(board.Panels))
		}
		for _, p := range board.Panels {
			if p.Datasource.UID != "prometheus" || len(p.Targets) == 0 || p.Targets[0].Expr == "" {
				t.Errorf("%s: the panel %q asks nothing: %+v", c.Name, p.Title, p)
			}
		}
	}
	if seen != 4 {
		t.Errorf("%d dashboards, want 4", seen)
	}
}
