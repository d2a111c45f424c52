package provision

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/sim"
	"github.com/rmqprov/rmqprov/provision/state"
)

// keepIn runs the script that managers run. sent is what arrives of the lines.
func keepIn(t *testing.T, dir string, run Run, keep int, sent []byte) error {
	t.Helper()
	c := exec.Command("sh", "-c", keepRun, "rmqprov-history", dir, run.ID, strconv.Itoa(len(run.lines())), strconv.Itoa(keep))
	c.Stdin = bytes.NewReader(sent)
	out, err := c.CombinedOutput()
	if len(out) > 0 && err == nil {
		t.Errorf("the script says %q", out)
	}
	return err
}

// kept reads what a folder of history holds.
func kept(t *testing.T, dir string) (runs []Run, last Run) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "history.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if runs, err = parseHistory(text); err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(filepath.Join(dir, "last.json")); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &last); err != nil {
		t.Fatal(err)
	}
	return runs, last
}

func record(id string, outcome RunOutcome, steps ...StepRecord) Run {
	run := Run{ID: id, Verb: "apply", Began: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), By: "ann@laptop", Outcome: outcome}
	run.setSteps(steps)
	return run
}

func told(runs []Run) string {
	var out []string
	for _, r := range runs {
		out = append(out, r.ID+" "+string(r.Outcome))
	}
	return strings.Join(out, ", ")
}

func TestARecordTakesThePlaceOfItsBeginning(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rmqprov", "rmq")
	step := StepRecord{ID: "network.prod", Action: plan.Create, Summary: "create \"prod\"\n", Outcome: Done}
	for _, run := range []Run{record("aa", RunBegun), record("bb", RunBegun), record("bb", RunDone, step), record("cc", RunBegun)} {
		if err := keepIn(t, dir, run, maxHistory, run.lines()); err != nil {
			t.Fatal(err)
		}
	}
	runs, last := kept(t, dir)
	if got := told(runs); got != "aa begun, bb done, cc begun" {
		t.Errorf("the history is %s", got)
	}
	if diff := cmp.Diff([]StepRecord{step}, runs[1].Steps); diff != "" {
		t.Error(diff)
	}
	if last.ID != "cc" || last.Steps != nil {
		t.Errorf("the last run is %+v", last)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "history.jsonl": 0o600, "last.json": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %v", name, info.Mode(), err, want)
		}
	}
}

func TestARecordThatIsCutOffLeavesTheHistoryWhole(t *testing.T) {
	dir := t.TempDir()
	first, second := record("aa", RunDone), record("bb", RunBegun)
	if err := keepIn(t, dir, first, maxHistory, first.lines()); err != nil {
		t.Fatal(err)
	}
	lines := second.lines()
	for _, n := range []int{0, 1, len(lines) / 2, len(lines) - 1} {
		if err := keepIn(t, dir, second, maxHistory, lines[:n]); err == nil {
			t.Errorf("%d of %d bytes are taken for the whole", n, len(lines))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".new.history"), []byte("half a li"), 0o600); err != nil {
		t.Fatal(err)
	}
	runs, last := kept(t, dir)
	if got := told(runs); got != "aa done" || last.ID != "aa" {
		t.Errorf("the history is %s, and the last run %s", got, last.ID)
	}
	if err := keepIn(t, dir, second, maxHistory, lines); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestTheHistoryIsBounded(t *testing.T) {
	dir := t.TempDir()
	const keep = 2000
	for i := range 12 {
		run := record(fmt.Sprintf("%02d", i), RunDone, StepRecord{ID: "x", Summary: strings.Repeat("y", 200), Outcome: Done})
		if err := keepIn(t, dir, run, keep, run.lines()); err != nil {
			t.Fatal(err)
		}
	}
	runs, _ := kept(t, dir)
	info, err := os.Stat(filepath.Join(dir, "history.jsonl"))
	if err != nil || info.Size() > keep+600 {
		t.Errorf("the history has %d bytes, %v", info.Size(), err)
	}
	if len(runs) < 3 || runs[len(runs)-1].ID != "11" || runs[0].ID == "00" {
		t.Errorf("the history is %s", told(runs))
	}
}

func TestARecordIsBounded(t *testing.T) {
	var steps []StepRecord
	for i := range 20_000 {
		s := StepRecord{ID: plan.ID(fmt.Sprint("host.h-", i)), Summary: "do it", Outcome: Done}
		if i == 19_999 {
			s.Outcome, s.Error = Failed, "no space left on device"
		}
		steps = append(steps, s)
	}
	run := record("aa", RunFailed, steps...)
	line, head, _ := bytes.Cut(run.lines(), []byte("\n"))
	if len(line) > maxRecord || len(head) > 1000 {
		t.Errorf("the record has %d bytes, and its head %d", len(line), len(head))
	}
	var got Run
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	if n := len(got.Steps); n < 500 || n+got.LeftOut != 20_000 || got.Steps[n-1].Error == "" {
		t.Errorf("%d steps are told and %d left out; the last is %+v", n, got.LeftOut, got.Steps[n-1])
	}
	if got.Counts[Done] != 19_999 || got.Counts[Failed] != 1 {
		t.Errorf("counts are %v", got.Counts)
	}
}

func TestManagersHistoriesAreOne(t *testing.T) {
	later := record("bb", RunBegun)
	later.Began = later.Began.Add(time.Hour)
	got := merge([][]Run{
		{record("aa", RunBegun), later},
		{record("aa", RunDone)}, // the first one missed the end
		nil,
	})
	if text := told(got); text != "aa done, bb begun" {
		t.Errorf("got %s", text)
	}
}

func TestHistoryToldWithABrokenLine(t *testing.T) {
	good := string(marshal(record("aa", RunDone)))
	runs, err := parseHistory([]byte(good + "\n{\"run\":\n" + good + "\n"))
	if len(runs) != 2 || err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %d runs and %v", len(runs), err)
	}
}

// TestARunIsRecordedBeforeItBeginsAndAfterItEnds has a plan whose one step
// fails, on a manager that keeps records and one that has no room for any.
func TestARunIsRecordedBeforeItBeginsAndAfterItEnds(t *testing.T) {
	sent := make(chan Run, 10)
	keeps, full := &sim.Host{Facts: hostFacts(0)}, &sim.Host{Facts: hostFacts(1)}
	keeps.Exec = onRecord(func(_ sim.Call, run Run) { sent <- run })
	full.Exec = onRecord(func(c sim.Call, _ Run) {
		c.Say("")
		fmt.Fprintln(c.Stderr(), "dd: No space left on device")
		c.Exit(1)
	})
	s := openSession(t, fleet(t, []*sim.Host{keeps, full}))
	s.options = Options{By: "ann@laptop", Version: "v1"}
	r := s.Record(Run{Verb: "apply", From: "/home/ann/prod.hcl", Inventory: "abcd"}, s.names)
	r.Apply(t.Context(), &plan.Plan{}, nil, func(Event) {}) // leaves no record
	report := r.Apply(t.Context(), &plan.Plan{Steps: []plan.Step{{ID: "x", Kind: plan.Create, Summary: "do x"}}}, nil, func(Event) {})
	if len(report.Failed()) != 1 {
		t.Fatalf("the report is %s", report)
	}
	begun, ended := <-sent, <-sent
	if begun.Outcome != RunBegun || begun.Steps[0].Outcome != Planned || begun.By != "ann@laptop" || begun.From != "/home/ann/prod.hcl" {
		t.Errorf("it began as %+v", begun)
	}
	if ended.ID != begun.ID || ended.Outcome != RunFailed || ended.Counts[Failed] != 1 || ended.Steps[0].Error == "" {
		t.Errorf("it ended as %+v", ended)
	}
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "No space left") {
		t.Errorf("what was lost: %v", err)
	}
}

// onRecord does something with every record that a host is sent.
func onRecord(do func(sim.Call, Run)) func(sim.Call) bool {
	return func(c sim.Call) bool {
		var run Run
		lines := bufio.NewScanner(c.Stdin)
		if c.Kind == sim.Other && lines.Scan() && json.Unmarshal(lines.Bytes(), &run) == nil {
			do(c, run)
		}
		return false
	}
}

func TestNoRecordOnAManagerWhoseHistoryWasTakenAway(t *testing.T) {
	s := &Session{inv: &inventory.Inventory{Cluster: inventory.Cluster{Name: "rmq"}}}
	r := &Recorder{session: s, managers: []string{"a", "b", "c"}}
	away := plan.RemoveFiles{Paths: []string{plan.HistoryDir(s.inv.Cluster.Name)}}
	report := Report{Outcomes: []Outcome{
		{Step: plan.Step{Host: "a", Action: away}, Kind: Done},
		{Step: plan.Step{Host: "b", Action: away}, Kind: Failed, Err: errors.New("lost")},
		{Step: plan.Step{Host: "c", Action: plan.RemoveFiles{Paths: []string{"/etc/x"}}}, Kind: Done},
	}}
	if got := r.staying(report); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("records stay on %v", got)
	}
}

func TestLastApplied(t *testing.T) {
	run := func(id string, took int64, outcome RunOutcome) state.Host {
		r := record(id, outcome)
		r.TookMS, r.Inventory = took, "i-"+id
		head := marshal(r)
		return state.Host{Facts: state.Known[state.Facts]{Value: state.Facts{Files: map[string]state.File{plan.LastRun("rmq"): {Content: head}}}}}
	}
	tests := map[string]struct {
		got  state.Snapshot
		want string
	}{
		"never": {state.Snapshot{}, " "},
		"the newest counts": {state.Snapshot{Hosts: map[string]state.Host{
			"a": run("aa", 1000, RunDone), "b": run("bb", 9000, RunFailed), "c": run("cc", 0, RunBegun)}}, "2026-11-24T08:00:09Z i-bb"},
		"a file of nonsense": {state.Snapshot{Hosts: map[string]state.Host{
			"a": {Facts: state.Known[state.Facts]{Value: state.Facts{Files: map[string]state.File{plan.LastRun("rmq"): {Content: []byte("{")}}}}},
		}}, " "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := LastApplied(tt.got, "rmq"); got.Time+" "+got.Inventory != tt.want {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
		})
	}
}
