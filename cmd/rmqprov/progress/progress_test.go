package progress

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/screen"
	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// recorded reads the events of a run.
func recorded(t *testing.T) []provision.Event {
	t.Helper()
	f, err := os.Open("testdata/events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var events []provision.Event
	for s := bufio.NewScanner(f); s.Scan(); {
		var l line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		events = append(events, provision.Event{
			Time: l.Time, Kind: l.Event, Step: l.Step, Host: l.Host,
			Elapsed: time.Duration(l.Elapsed) * time.Millisecond, Message: l.Message,
		})
	}
	return events
}

func TestPlainPrintsALineAnEvent(t *testing.T) {
	events := recorded(t)
	var out bytes.Buffer
	v := NewPlain(&out, events[0].Time)
	for _, e := range events {
		v.Event(e)
	}
	v.Note("Interrupted.")
	v.Close()
	golden(t, "plain.txt", out.String())
}

func TestJSONPrintsTheRecordedEventsAgain(t *testing.T) {
	want, err := os.ReadFile("testdata/events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var out, notes bytes.Buffer
	v := NewJSON(&out, &notes)
	for _, e := range recorded(t) {
		v.Event(e)
	}
	v.Note("Interrupted.")
	v.Close()
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if notes.String() != "Interrupted.\n" {
		t.Errorf("notes: %q", notes.String())
	}
}

func TestEventsMayComeFromManyGoroutines(t *testing.T) {
	var out, picture, notes bytes.Buffer
	p := &plan.Plan{}
	for i := range 20 {
		p.Steps = append(p.Steps, plan.Step{ID: plan.ID(fmt.Sprintf("host.n%d.docker", i)), Host: fmt.Sprint("n", i)})
	}
	terminal := screen.Terminal{Out: &picture, Size: func() (int, int, error) { return 80, 24, nil }}
	for _, v := range []View{NewPlain(&out, time.Now()), NewJSON(&out, &notes), NewTerminal(Live{Terminal: terminal, Plan: p, Now: time.Now})} {
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				id := plan.ID(fmt.Sprintf("host.n%d.docker", i))
				for _, k := range []provision.EventKind{provision.Planned, provision.Started, provision.Output, provision.Done} {
					v.Event(provision.Event{Time: time.Now(), Kind: k, Step: id, Host: fmt.Sprint("n", i)})
				}
				v.Note("a note")
			})
		}
		all.Wait()
		v.Close()
	}
}
