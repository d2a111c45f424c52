package provision

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/system"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/sim"
)

func TestLogLinesAreSplitAndToldByTime(t *testing.T) {
	var lines []LogLine
	write := func(host, container string, chunks ...string) {
		w := &logLines{
			place:    place{&machine{Host: inventory.Host{Name: host}}, "db_db-01", container},
			progress: func() {}, tell: func(l LogLine) error { lines = append(lines, l); return nil },
		}
		for _, c := range chunks {
			if _, err := w.Write([]byte(c)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("a", "c1", "2026-01-31T12:00:00.000000001Z one\n2026-01-31T12:00:0", "2.5Z three with spaces \r\n")
	write("b", "c2", "2026-01-31T12:00:01Z two\n2026-01-31T12:00:03Z\n")
	var told strings.Builder
	inOrder(lines, func(l LogLine) { told.WriteString(l.Host + " " + l.Text + "|") })
	if diff := cmp.Diff("a one|b two|a three with spaces |b |", told.String()); diff != "" {
		t.Error(diff)
	}
	if last := lastOf(lines); !last["c2"].Equal(time.Date(2026, 1, 31, 12, 0, 3, 0, time.UTC)) {
		t.Errorf("the last line of c2 was at %v", last["c2"])
	}
}

func TestLogLinesStopWhereTheyAreTold(t *testing.T) {
	full := errors.New("full")
	w := &logLines{place: place{&machine{}, "", ""}, progress: func() {}, tell: func(LogLine) error { return full }}
	if _, err := w.Write([]byte("2026-01-31T12:00:01Z two\n")); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

// A host that says nothing is told, and those that answer are read.
func TestLogsOfAHostThatHangsHoldUpNobody(t *testing.T) {
	quiet := sound(t, 0)
	quiet.Engine = engineOf(t, system.Info{ServerVersion: "26.1.5"}, map[string]any{"/containers/json": []any{}})
	inv := fleet(t, []*sim.Host{quiet, {Silent: true}})
	inv.SSH.DialTimeout = time.Second
	s := openSession(t, inv)
	var warned []string
	began := time.Now()
	err := s.Logs(t.Context(), []string{"db_db-01"}, LogOptions{}, func(LogLine) {}, func(host string, err error) {
		warned = append(warned, host)
	})
	if err != nil || strings.Join(warned, " ") != hostName(1) {
		t.Errorf("got %v, and warnings of %v", err, warned)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
