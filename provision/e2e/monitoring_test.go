//go:build lab

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

const monitoringBlocks = `
stack "monitoring" {
  playbook   = "monitoring"
  depends_on = [stack.haproxy]
  inputs = {
    prometheus_image = "prom/prometheus:v2.53.3"
    exporter_image   = "prom/node-exporter:v1.9.0"
    grafana          = false # the lab has no image of it
  }
}
`

// Prometheus reaches all that it is to watch, its alerts are sound and quiet, what
// the dashboards ask is there, and a host that dies is noticed.
func TestMonitoring(t *testing.T) {
	l := bringUp(t, "e2e-watch", "10.99.0.0/24", "debian13")
	if err := l.Do(t.Context(), "images", "prom/prometheus:v2.53.3", "prom/node-exporter:v1.9.0"); err != nil {
		t.Fatal(err)
	}
	extend(t, l, monitoringBlocks)
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := prometheusOf(t, l)
	t.Run("apply again changes nothing", func(t *testing.T) { testNothingToDo(t, l) })
	t.Run("verify and status agree", func(t *testing.T) { testVerdicts(t, l) })
	t.Run("all targets are up", func(t *testing.T) { testTargets(t, at) })
	t.Run("the alerts are sound and quiet", func(t *testing.T) { testAlerts(t, at) })
	t.Run("the dashboards' questions have answers", func(t *testing.T) { testDashboards(t, at) })
	t.Run("a dead host is noticed", func(t *testing.T) { testDeadHost(t, l, at) })
}

// prometheusOf is the address of the lab's Prometheus.
func prometheusOf(t *testing.T, l *lab.Lab) string {
	t.Helper()
	for _, h := range l.Hosts() {
		at := "http://" + h.Address + ":9090"
		if status, _, err := lab.Get(t.Context(), at+"/-/ready", "", ""); err == nil && status == http.StatusOK {
			return at
		}
	}
	t.Fatal("no host's port 9090 answers as Prometheus does")
	return ""
}

// ask reads an answer of Prometheus' HTTP API.
func ask[T any](t *testing.T, url string) T {
	t.Helper()
	status, body, err := lab.Get(t.Context(), url, "", "")
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s: status %d, %v\n%s", url, status, err, body)
	}
	var answer struct{ Data T }
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%s: %v\n%s", url, err, body)
	}
	return answer.Data
}

type targets struct {
	ActiveTargets []struct {
		Labels            struct{ Job, Instance string }
		Health, LastError string
	}
}

// A target is "unknown" until it was asked once, which is a scrape's interval after it was found.
func testTargets(t *testing.T, at string) {
	eventually(t, time.Minute, func() error {
		count := map[string]int{}
		for _, target := range ask[targets](t, at+"/api/v1/targets").ActiveTargets {
			count[target.Labels.Job]++
			if target.Health != "up" {
				return fmt.Errorf("%s %s is %s: %s", target.Labels.Job, target.Labels.Instance, target.Health, target.LastError)
			}
		}
		for job, want := range map[string]int{"prometheus": 1, "rabbitmq": 3, "consul": 3, "haproxy": 3, "node": 3} {
			if count[job] != want {
				return fmt.Errorf("%d targets of %s, want %d", count[job], job, want)
			}
		}
		return nil
	})
}

type alertRules struct {
	Groups []struct {
		Rules []struct{ Name, Health, LastError, State string }
	}
}

func testAlerts(t *testing.T, at string) {
	eventually(t, time.Minute, func() error {
		names := 0
		for _, g := range ask[alertRules](t, at+"/api/v1/rules").Groups {
			for _, r := range g.Rules {
				names++
				if r.Health != "ok" || r.State == "firing" {
					return fmt.Errorf("alert %s is %s and %s: %s", r.Name, r.Health, r.State, r.LastError)
				}
			}
		}
		if names < 15 {
			return fmt.Errorf("%d alerts, want 15 or more", names)
		}
		return nil
	})
}

// result is what Prometheus answers to a question.
type result struct{ Result []json.RawMessage }

func query(t *testing.T, at, expr string) int {
	t.Helper()
	return len(ask[result](t, at+"/api/v1/query?query="+url.QueryEscape(expr)).Result)
}

func testDashboards(t *testing.T, at string) {
	paths, err := filepath.Glob("../../playbooks/monitoring/*.json")
	if err != nil || len(paths) != 4 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(text, &board); err != nil {
			t.Fatal(err)
		}
		for _, p := range board.Panels {
			for _, target := range p.Targets {
				expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "1m")
				eventually(t, time.Minute, func() error {
					if query(t, at, expr) == 0 {
						return fmt.Errorf("%s, %s: no answer to %s", filepath.Base(path), p.Title, expr)
					}
					return nil
				})
			}
		}
	}
}

// testDeadHost takes a host's power away on which Prometheus does not run.
func testDeadHost(t *testing.T, l *lab.Lab, at string) {
	dead := slices.IndexFunc(l.Hosts(), func(h lab.Host) bool { return !strings.Contains(at, h.Address+":") })
	if err := l.Do(t.Context(), "kill", l.Hosts()[dead].Name); err != nil {
		t.Fatal(err)
	}
	eventually(t, 3*time.Minute, func() error {
		for _, g := range ask[alertRules](t, at+"/api/v1/rules").Groups {
			for _, r := range g.Rules {
				if r.Name == "TargetDown" && r.State != "inactive" {
					return nil
				}
			}
		}
		return fmt.Errorf("TargetDown is still inactive")
	})
	// The two are asked at moments of their own, a scrape's interval apart at most.
	eventually(t, time.Minute, func() error {
		if n := query(t, at, "up{job=~'rabbitmq|consul'} == 0"); n != 2 {
			return fmt.Errorf("%d of the members and servers are down, want the 2 of the dead host", n)
		}
		return nil
	})
}
