package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/provision/state"
)

// brokenOff is a roll to another image of which the first member came back and
// the second did not.
func brokenOff(t *testing.T) (Want, state.Snapshot) {
	t.Helper()
	w := threeHosts()
	got := built(t, w)
	for i := range w.Stacks[0].Services {
		w.Stacks[0].Services[i].Spec.TaskTemplate.ContainerSpec.Image = "db:2"
	}
	step, _ := mustMake(t, w, got).Step("stack.db.begin")
	for i, c := range got.Swarm.Value.Configs {
		if c.Spec.Name == RecordObject("rmq", "db") {
			got.Swarm.Value.Configs[i].Spec.Labels = step.Action.(RecordStack).Labels
		}
	}
	for i := range 2 {
		svc := &got.Swarm.Value.Services[i]
		svc.Spec.TaskTemplate.ContainerSpec.Image = "db:2"
		svc.UpdatedAt = time.Unix(int64(1000+i), 0)
	}
	return w, got
}

func TestRollback(t *testing.T) {
	w, got := brokenOff(t)
	p, err := Rollback(w, got)
	if err != nil {
		t.Fatal(err)
	}
	want := `
stack.db.service.db-02 : it was changed, and its stack's gates have not held since
stack.db.gate.started.db-02 ← stack.db.service.db-02 : the stack changes
stack.db.gate.formed.before ← stack.db.gate.started.db-02, stack.db.service.db-02 : the stack changes
stack.db.before-stop.drain.db-01 ← stack.db.gate.formed.before, stack.db.gate.started.db-02, stack.db.service.db-02 : before stop of db-01
stack.db.service.db-01 ← stack.db.before-stop.drain.db-01, stack.db.gate.formed.before, stack.db.gate.started.db-02, stack.db.service.db-02 : differs in Image
stack.db.gate.started.db-01 ← stack.db.service.db-01 : the stack changes
`
	head, _, _ := strings.Cut(p.Graph(), "stack.db.gate.formed.db-01")
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(head)); diff != "" {
		t.Errorf("%s\n%s", diff, p.Graph())
	}
	for _, id := range []ID{"stack.db.service.db-01", "stack.db.service.db-02"} {
		step, _ := p.Step(id)
		if ref := step.Action.(UpdateService).Spec.TaskTemplate.ContainerSpec.Image; ref != "db:1" {
			t.Errorf("%s goes to %s, want db:1", id, ref)
		}
	}
	if _, ok := p.Step("stack.db.service.db-03"); ok {
		t.Error("the member that the change did not reach is touched")
	}
	if _, ok := p.Step("stack.db.ready"); !ok {
		t.Error("nothing notes that the stack stands again")
	}
}

func TestRollbackWhereAllStands(t *testing.T) {
	w := threeHosts()
	p, err := Rollback(w, built(t, w))
	if err != nil || !p.Empty() || len(p.Notes) != 1 {
		t.Errorf("got %+v, %v; want a note and nothing to do", p, err)
	}
}

func TestRollbackRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		harm func(state.Snapshot)
		want string
	}{
		"no majority beside the member": {func(s state.Snapshot) {
			s.Swarm.Value.Services[2].ServiceStatus = &swarm.ServiceStatus{DesiredTasks: 1}
		}, "db_db-02 runs and would be restarted, while only 1 of the 2 others of its set run"},
		"no record of what stood": {func(s state.Snapshot) {
			for _, c := range s.Swarm.Value.Configs {
				delete(c.Spec.Labels, StoodLabel)
			}
		}, "its record does not tell what stood before"},
	} {
		t.Run(name, func(t *testing.T) {
			w, got := brokenOff(t)
			tt.harm(got)
			if p, err := Rollback(w, got); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v; want %q", p, err, tt.want)
			}
		})
	}
}
