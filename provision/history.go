package provision

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/remote"
)

// Run is the record of a run that changed something, or meant to. It is kept on
// every manager, a line of JSON each, and names no secret.
type Run struct {
	ID        string            `json:"run"`     // first: keepRun finds a record by it
	Verb      string            `json:"verb"`    // "apply", "replace" or "destroy"
	Began     time.Time         `json:"time"`    // by the clock of who ran it
	By        string            `json:"by"`      // user@host
	From      string            `json:"from"`    // path of the inventory, there
	Version   string            `json:"version"` // of rmqprov
	Inventory string            `json:"inventory"`
	Forced    bool              `json:"force_quorum_loss,omitempty"` // it went on where a majority would be lost
	Outcome   RunOutcome        `json:"outcome"`
	TookMS    int64             `json:"took_ms"`
	Counts    map[EventKind]int `json:"counts"` // of all steps by their outcome
	Steps     []StepRecord      `json:"steps,omitempty"`
	LeftOut   int               `json:"steps_left_out,omitempty"` // steps of which there is no room to tell
}

// RunOutcome is how a run ended.
type RunOutcome string

// The ways in which a run ends. One that still reads Begun was killed, or is at
// work.
const (
	RunBegun       RunOutcome = "begun"
	RunDone        RunOutcome = "done"
	RunFailed      RunOutcome = "failed"
	RunInterrupted RunOutcome = "interrupted"
)

// StepRecord is one step of a run. Outcome is "done", "failed", "skipped", or
// "planned" in the record of a run that did not end.
type StepRecord struct {
	ID      plan.ID   `json:"id"`
	Action  plan.Kind `json:"action"`
	Host    string    `json:"host,omitempty"`
	Summary string    `json:"summary"`
	Outcome EventKind `json:"outcome"`
	TookMS  int64     `json:"took_ms,omitempty"`
	Error   string    `json:"error,omitempty"` // its first line, cut
}

const (
	maxHistory   = 1 << 20   // bytes of earlier records that a manager keeps
	maxRecord    = 128 << 10 // bytes of one record
	maxStepError = 200       // bytes
	keepWithin   = 10 * time.Second
)

// keepRun writes a record on a manager, in one round trip.
//
//go:embed history.sh
var keepRun string

// Recorder carries a plan out as its session does, and keeps the record of it.
type Recorder struct {
	session  *Session
	run      Run
	managers []string

	mu   sync.Mutex
	lost []error
}

// Record returns what carries a plan out and keeps the record of it on those
// managers that could be seen. The run's verb, inventory and the path of that
// are given.
func (s *Session) Record(run Run, managers []string) *Recorder {
	run.ID, run.By, run.Version = newRunID(), s.options.By, s.options.Version
	s.inventory = run.Inventory
	return &Recorder{session: s, run: run, managers: managers}
}

func newRunID() string {
	id := make([]byte, 8)
	rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

// Apply is Session's, with a record before the first step and after the last:
// a run that was killed reads as begun. One that has nothing to do leaves no
// record. What could not be recorded is no reason to leave a cluster unmended;
// Err tells of it.
func (r *Recorder) Apply(ctx context.Context, p *plan.Plan, stop <-chan struct{}, emit func(Event)) Report {
	if p.Empty() {
		return r.session.Apply(ctx, p, stop, emit)
	}
	began := time.Now()
	r.run.Began, r.run.Outcome = began.UTC().Truncate(time.Millisecond), RunBegun
	r.run.setSteps(planned(p))
	r.keep(ctx, r.managers)
	report := r.session.Apply(ctx, p, stop, emit)
	r.run.Outcome = runOutcome(ctx, report, stop)
	r.run.setSteps(recorded(report))
	r.run.TookMS = time.Since(began).Milliseconds()
	// An interrupt must not keep the record from saying so.
	r.keep(context.WithoutCancel(ctx), r.staying(report))
	return report
}

// Err tells where the record could not be kept; nil when it is kept everywhere.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.lost...)
}

// staying are the managers whose history the run did not take away.
func (r *Recorder) staying(report Report) []string {
	gone := map[string]bool{}
	for _, o := range report.Outcomes {
		if a, ok := o.Step.Action.(plan.RemoveFiles); ok && o.Kind == Done && slices.Contains(a.Paths, plan.HistoryDir(r.session.inv.Cluster.Name)) {
			gone[o.Step.Host] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(r.managers), func(host string) bool { return gone[host] })
}

// keep writes the record on managers, on all at once. What an earlier one could
// not write is made up for by a later one.
func (r *Recorder) keep(ctx context.Context, managers []string) {
	ctx, cancel := context.WithTimeoutCause(ctx, keepWithin, fmt.Errorf("no answer within %s", keepWithin))
	defer cancel()
	lines := r.run.lines()
	r.lost = nil
	var all sync.WaitGroup
	for _, host := range managers {
		all.Go(func() {
			_, err := r.session.hosts[host].ssh.Run(ctx, remote.Command{
				Argv: []string{"sh", "-c", keepRun, "rmqprov-history", plan.HistoryDir(r.session.inv.Cluster.Name), r.run.ID,
					strconv.Itoa(len(lines)), strconv.Itoa(maxHistory)},
				Stdin: bytes.NewReader(lines), Sudo: true, Name: "keeping the record of the run",
			})
			if err != nil {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.lost = append(r.lost, because(ctx, err))
			}
		})
	}
	all.Wait()
}

// lines are the record, and below it its head: all but the steps.
func (run Run) lines() []byte {
	record, head := run.fitted(), run
	head.Steps = nil
	return append(append(record, '\n'), append(marshal(head), '\n')...)
}

// fitted is the record within its bound. Steps that failed are told first.
func (run Run) fitted() []byte {
	all := run.Steps
	for keep := len(all); ; keep /= 2 {
		run.Steps, run.LeftOut = foremost(all, keep), len(all)-keep
		if text := marshal(run); len(text) <= maxRecord || keep == 0 {
			return text
		}
	}
}

// foremost keeps n steps in their order, and of them the failed ones first.
func foremost(steps []StepRecord, n int) []StepRecord {
	var kept []StepRecord
	failed := len(slices.DeleteFunc(slices.Clone(steps), func(s StepRecord) bool { return s.Outcome != Failed }))
	others := n - failed
	for _, s := range steps {
		switch {
		case len(kept) == n:
			return kept
		case s.Outcome == Failed:
			kept = append(kept, s)
		case others > 0:
			kept, others = append(kept, s), others-1
		}
	}
	return kept
}

func marshal(run Run) []byte {
	text, err := json.Marshal(run)
	if err != nil {
		panic("provision: a record does not marshal: " + err.Error()) // it is text and numbers
	}
	return text
}

func (run *Run) setSteps(steps []StepRecord) {
	run.Steps, run.Counts = steps, map[EventKind]int{}
	for _, s := range steps {
		run.Counts[s.Outcome]++
	}
}

func planned(p *plan.Plan) []StepRecord {
	steps := make([]StepRecord, 0, len(p.Steps))
	for _, s := range p.Steps {
		steps = append(steps, StepRecord{ID: s.ID, Action: s.Kind, Host: s.Host, Summary: s.Summary, Outcome: Planned})
	}
	return steps
}

func recorded(report Report) []StepRecord {
	steps := make([]StepRecord, 0, len(report.Outcomes))
	for _, o := range report.Outcomes {
		s := StepRecord{ID: o.Step.ID, Action: o.Step.Kind, Host: o.Step.Host, Summary: o.Step.Summary, Outcome: o.Kind, TookMS: o.Took.Milliseconds()}
		if o.Err != nil {
			s.Error, _, _ = strings.Cut(o.Err.Error(), "\n")
			s.Error = strings.ToValidUTF8(s.Error[:min(len(s.Error), maxStepError)], "")
		}
		steps = append(steps, s)
	}
	return steps
}

func runOutcome(ctx context.Context, report Report, stop <-chan struct{}) RunOutcome {
	stopped := ctx.Err() != nil
	select {
	case <-stop:
		stopped = true
	default:
	}
	switch left := len(report.Failed()) + len(report.Skipped()); {
	case left == 0:
		return RunDone
	case stopped:
		return RunInterrupted
	}
	return RunFailed
}

// History is what the managers say of earlier runs.
type History struct {
	Runs   []Run        // each once, the oldest first
	Unread []Unreadable // managers that could not be asked, or not understood
}

// Unreadable is a manager whose records could not be read.
type Unreadable struct {
	Host string
	Err  error
}

// History reads the records of all managers at once. A record that several
// have is told once: as ended, where any of them knows that it ended.
func (s *Session) History(ctx context.Context) History {
	managers := s.inv.Managers()
	runs, errs := make([][]Run, len(managers)), make([]error, len(managers))
	var all sync.WaitGroup
	for i, host := range managers {
		all.Go(func() { runs[i], errs[i] = s.historyOn(ctx, host) })
	}
	all.Wait()
	var h History
	for i, err := range errs {
		if err != nil {
			h.Unread = append(h.Unread, Unreadable{managers[i], err})
		}
	}
	h.Runs = merge(runs)
	return h
}

const readHistory = `[ ! -f "$1" ] || cat "$1"`

func (s *Session) historyOn(ctx context.Context, host string) ([]Run, error) {
	r, err := s.hosts[host].ssh.Run(ctx, remote.Command{
		Argv: []string{"sh", "-c", readHistory, "rmqprov-history", plan.HistoryDir(s.inv.Cluster.Name) + "/history.jsonl"},
		Sudo: true, Name: "reading the history",
	})
	if err != nil {
		return nil, err
	}
	return parseHistory(r.Stdout)
}

// parseHistory reads records; beside an error it returns those that it could.
func parseHistory(text []byte) ([]Run, error) {
	var runs []Run
	var wrong error
	n := 0
	for line := range bytes.Lines(text) {
		n++
		var run Run
		if err := json.Unmarshal(line, &run); err != nil {
			wrong = cmp.Or(wrong, fmt.Errorf("line %d of the history is no record: %w", n, err))
			continue
		}
		runs = append(runs, run)
	}
	return runs, wrong
}

// merge tells each run once, the oldest first.
func merge(managers [][]Run) []Run {
	at := map[string]int{}
	var runs []Run
	for _, told := range managers {
		for _, run := range told {
			i, known := at[run.ID]
			switch {
			case !known:
				at[run.ID] = len(runs)
				runs = append(runs, run)
			case runs[i].Outcome == RunBegun:
				runs[i] = run
			}
		}
	}
	slices.SortStableFunc(runs, func(a, b Run) int { return cmp.Or(a.Began.Compare(b.Began), strings.Compare(a.ID, b.ID)) })
	return runs
}
