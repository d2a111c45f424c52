package report

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/browsertest"
	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

var update = flag.Bool("update", false, "write the golden files anew")

var began = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// planned is a plan for two hosts and a stack, one of whose changes is sensitive.
func planned() *plan.Plan {
	return &plan.Plan{Steps: []plan.Step{
		{ID: "host.a.docker", Kind: plan.Create, Host: "a", Summary: "install Docker", Why: "docker not installed"},
		{ID: "host.b.docker", Kind: plan.Create, Host: "b", Summary: "install Docker", Why: "docker not installed"},
		{ID: "swarm.init", Kind: plan.Create, Host: "a", Summary: "start a swarm", Why: "none", After: []plan.ID{"host.a.docker"}},
		{ID: "host.b.swarm", Kind: plan.Create, Host: "b", Summary: "join the swarm", Why: "no member", After: []plan.ID{"host.b.docker", "swarm.init"}},
		{ID: "host.a.image.db:1", Kind: plan.Create, Host: "a", Summary: "pull db:1", Why: "not there", After: []plan.ID{"host.a.docker"}},
		{ID: "stack.db.secret.password", Kind: plan.Update, Summary: "change secret password", Why: "it differs", After: []plan.ID{"swarm.init"},
			Changes: []plan.Change{{Path: "password", Before: plan.Hidden, After: plan.Hidden}}},
		{ID: "stack.db.service.db-01", Kind: plan.Update, Summary: "update service db_db-01", Why: "its image differs", Disrupts: "restarts db-01",
			After: []plan.ID{"host.a.image.db:1", "host.b.swarm", "stack.db.secret.password"}},
		{ID: "stack.db.gate.formed", Kind: plan.Run, Summary: "wait for gate formed", Why: "all see <all>", After: []plan.ID{"stack.db.service.db-01"}},
	}}
}

// failing is a run of that plan in which the service fails.
func failing() Run {
	p := planned()
	r := NewRecorder(p, began)
	tell := func(ms int, kind provision.EventKind, id plan.ID, message string) {
		r.Event(provision.Event{Time: began.Add(time.Duration(ms) * time.Millisecond), Kind: kind, Step: id, Message: message})
	}
	span := func(id plan.ID, from, to int) {
		tell(from, provision.Started, id, "")
		tell(to, provision.Done, id, "")
	}
	span("host.a.docker", 0, 9000)
	span("host.b.docker", 0, 12000)
	span("host.a.image.db:1", 9000, 11000)
	span("swarm.init", 9000, 9700)
	span("host.b.swarm", 12100, 13400)
	tell(9800, provision.Started, "stack.db.secret.password", "")
	tell(9850, provision.Retry, "stack.db.secret.password", "connection lost")
	tell(9900, provision.Done, "stack.db.secret.password", "")
	tell(13400, provision.Started, "stack.db.service.db-01", "")
	for range keptLines {
		tell(15000, provision.Output, "stack.db.service.db-01", "0 of 1 running")
	}
	tell(18000, provision.Output, "stack.db.service.db-01", "<script>alert(1)</script>")
	tell(20000, provision.Failed, "stack.db.service.db-01", "the task ended: exit status 1\nno space left")
	tell(20000, provision.Skipped, "stack.db.gate.formed", "not done, because stack.db.service.db-01 failed")
	return Run{
		Cluster: "rmq", Verb: "apply", From: "/home/ann/prod.hcl", By: "ann@laptop", Version: "v1.0.0", Began: began, Took: 20 * time.Second,
		Steps: r.Steps(), Hosts: []Host{{"a", "192.0.2.1", "Debian 13", ""}, {"b", "192.0.2.2", "Debian 13", "26.1.5"}},
		Stacks: []Stack{{"db", []string{"db:1"}}},
	}
}

func rendered(t *testing.T, r Run) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReport(t *testing.T) {
	got := rendered(t, failing())
	if *update {
		if err := os.WriteFile("testdata/failing.html", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/failing.html")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCriticalPath(t *testing.T) {
	steps := failing().Steps
	var path []string
	for _, n := range criticalPath(steps) {
		path = append(path, string(steps[n].ID))
	}
	if got, want := strings.Join(path, " "), "host.b.docker host.b.swarm stack.db.service.db-01"; got != want {
		t.Errorf("the critical path is %s, want %s", got, want)
	}
}

func TestTheOutcomeInAWord(t *testing.T) {
	interrupted, nothing, broken := failing(), failing(), failing()
	interrupted.Interrupted = true
	nothing.Steps = nil
	broken.Steps = slices.Clone(broken.Steps[:2])
	broken.Steps[1].Kind = provision.Skipped
	done := Run{Steps: failing().Steps[:2]}
	for want, r := range map[string]Run{"failed": failing(), "interrupted": interrupted, "nothing to do": nothing, "not finished": broken, "done": done} {
		if got := pageOf(r).Outcome(); got != want {
			t.Errorf("the outcome is %q, want %q", got, want)
		}
	}
}

func TestThePageNeedsNoNetwork(t *testing.T) {
	text := string(rendered(t, failing()))
	for _, bad := range []string{"http://", "https://", "src=", "href=", "@import", "url("} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %s in it", bad)
		}
	}
	if !strings.Contains(text, "default-src 'none'") {
		t.Error("nothing keeps the page from loading things")
	}
}

// TestABrowserShowsIt points at a bar, as its reader does.
func TestABrowserShowsIt(t *testing.T) {
	var seen struct {
		Outcome, Info string
		Bars, Alerts  int
		Critical, Lit []string
		Outside       []string
		Wide          bool
	}
	browsertest.Ask(t, rendered(t, failing()), `(() => {
		const ids = all => [...all].map(b => b.dataset.id), box = e => e.getBoundingClientRect(), frame = box(document.getElementById("chart"));
		const all = document.querySelectorAll(".bar");
		document.querySelector('[data-id="stack.db.service.db-01"]').dispatchEvent(new Event("pointerenter"));
		return { Outcome: document.querySelector(".badge").textContent, Info: document.getElementById("info").textContent, Bars: all.length,
			Critical: ids(document.querySelectorAll(".bar.critical")), Lit: ids(document.querySelectorAll(".bar.cause")),
			Alerts: [...document.scripts].filter(s => s.textContent.startsWith("alert")).length,
			Outside: ids([...all].filter(b => { const r = box(b.querySelector("rect")); return r.width < 1 || r.left < frame.left || r.right > frame.right || r.bottom > frame.bottom })),
			Wide: document.documentElement.scrollWidth > innerWidth };
	})()`, &seen)
	if seen.Outcome != "failed" || seen.Bars != 7 || seen.Alerts != 0 || seen.Wide || len(seen.Outside) > 0 {
		t.Errorf("the page shows %+v", seen)
	}
	if want := []string{"host.b.docker", "host.b.swarm", "stack.db.service.db-01"}; !slices.Equal(seen.Critical, want) {
		t.Errorf("marked as critical: %v", seen.Critical)
	}
	if want := []string{"host.a.image.db:1", "host.b.docker", "host.b.swarm", "stack.db.secret.password"}; !slices.Equal(slices.Sorted(slices.Values(seen.Lit)), want) {
		t.Errorf("lit as what the service waited for: %v", seen.Lit)
	}
	if !strings.Contains(seen.Info, "waited to the end for host.b.swarm") {
		t.Errorf("of the service it says: %s", seen.Info)
	}
}
