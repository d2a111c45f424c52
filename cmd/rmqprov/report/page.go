package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

//go:embed page.html
var pageSource string

// page is what the template shows.
type page struct {
	Run
	Chart    chart
	Critical []leg
	Slow     []Step // of all, the longest first
	Failed   []Step
	Skipped  []Step
	Disrupts []Step
	Done     int
	Work     time.Duration // of all steps together
}

// leg is a step of the critical path.
type leg struct {
	Step
	Waited time.Duration // from the end of the step before it to its begin
	Share  int           // of the whole time, in per cent
}

// shownSlow bounds the list of the longest steps.
const shownSlow = 10

// Write writes the page.
func Write(w io.Writer, r Run) error {
	t, err := template.New("report").Funcs(template.FuncMap{"s": seconds, "symbol": symbol, "value": value, "short": short, "join": strings.Join}).Parse(pageSource)
	if err != nil {
		return fmt.Errorf("defect: the report's template: %w", err)
	}
	return t.Execute(w, pageOf(r))
}

func pageOf(r Run) page {
	critical := criticalPath(r.Steps)
	p := page{Run: r, Chart: draw(r.Steps, critical), Critical: legs(r, critical)}
	for _, s := range r.Steps {
		p.Work += s.Took()
		switch s.Kind {
		case provision.Done:
			p.Done++
		case provision.Failed:
			p.Failed = append(p.Failed, s)
		default:
			p.Skipped = append(p.Skipped, s)
		}
		if s.Disrupts != "" {
			p.Disrupts = append(p.Disrupts, s)
		}
		if s.Ran() {
			p.Slow = append(p.Slow, s)
		}
	}
	slices.SortStableFunc(p.Slow, func(a, b Step) int { return int(b.Took() - a.Took()) })
	p.Slow = p.Slow[:min(shownSlow, len(p.Slow))]
	return p
}

func legs(r Run, critical []int) []leg {
	var all []leg
	before := time.Duration(0)
	for _, n := range critical {
		s := r.Steps[n]
		l := leg{Step: s, Waited: max(0, s.Began-before)}
		if r.Took > 0 {
			l.Share = int(100 * s.Took() / r.Took)
		}
		all = append(all, l)
		before = s.Ended
	}
	return all
}

// Outcome is the run's in a word.
func (p page) Outcome() string {
	switch {
	case p.Interrupted:
		return "interrupted"
	case len(p.Failed) > 0:
		return "failed"
	case len(p.Steps) == 0:
		return "nothing to do"
	case len(p.Skipped) > 0:
		return "not finished"
	}
	return "done"
}

// pathAlong is the line from each bar of the critical path to the next.
func pathAlong(lanes []lane, critical []int) string {
	bars := map[int]bar{}
	for _, l := range lanes {
		for _, b := range l.Bars {
			bars[b.N] = b
		}
	}
	var d strings.Builder
	for i := 1; i < len(critical); i++ {
		a, b := bars[critical[i-1]], bars[critical[i]]
		fmt.Fprintf(&d, "M%d %dV%dH%d", a.X+a.Wide, a.Y+barHigh/2, b.Y+barHigh/2, b.X)
	}
	return d.String()
}

// seconds writes a duration to a tenth of a second.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func symbol(k plan.Kind) string {
	return map[plan.Kind]string{plan.Create: "+", plan.Update: "~", plan.Replace: "±", plan.Delete: "−", plan.Run: "»"}[k]
}

// value writes one side of a change.
func value(v any) string {
	if v == nil {
		return "(none)"
	}
	return fmt.Sprint(v)
}

// short is what is left of a step's id at its place.
func short(s Step) string {
	id := string(s.ID)
	for _, prefix := range []string{"host." + s.Host + ".", strings.Replace(s.Place(), " ", ".", 1) + "."} {
		if rest, ok := strings.CutPrefix(id, prefix); ok {
			return rest
		}
	}
	return id
}
