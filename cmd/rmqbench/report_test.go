package main

import (
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		name string
		runs series
		want time.Duration
	}{
		{"one run", series{3}, 3},
		{"odd, out of order", series{9, 1, 4}, 4},
		{"even: the mean of the middle two", series{1, 8, 4, 6}, 5},
	} {
		if got := c.runs.median(); got != c.want {
			t.Errorf("%s: median %d, want %d", c.name, got, c.want)
		}
	}
}

func TestSeriesAsText(t *testing.T) {
	s := series{41500 * time.Millisecond, 39 * time.Second, 300 * time.Millisecond}
	if got, want := s.String(), "39.0 s (300 ms–41.5 s)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReportSaysWhatIsMissed(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name   string
		row    row
		logins int
		missed bool
		line   string
	}{
		{"within the ratio", row{name: "bare", mine: series{110 * ms}, floor: series{100 * ms}, ratio: 1.2}, 1, false, "1.10    ≤ 1.20   met"},
		{"over the ratio", row{name: "bare", mine: series{130 * ms}, floor: series{100 * ms}, ratio: 1.2}, 1, true, "1.30    ≤ 1.20   missed"},
		{"under the limit", row{name: "start", mine: series{49 * ms}, limit: 50 * ms}, 1, false, "< 50 ms   met"},
		{"at the limit", row{name: "start", mine: series{50 * ms}, limit: 50 * ms}, 1, true, "< 50 ms   missed"},
		{"two connections", row{name: "start", mine: series{9 * ms}, limit: 50 * ms}, 2, true, "missed"},
	} {
		var out strings.Builder
		err := report(&out, []row{c.row}, c.logins)
		if (err != nil) != c.missed {
			t.Errorf("%s: error %v", c.name, err)
		}
		if !strings.Contains(out.String(), c.line) {
			t.Errorf("%s: no %q in\n%s", c.name, c.line, out.String())
		}
	}
}
