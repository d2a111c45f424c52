package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/provision/state"
)

// standing is what built makes, with the labels that a real swarm shows.
func standing(t *testing.T) (Want, state.Snapshot) {
	w := threeHosts()
	got := built(t, w)
	got.Swarm.Value.Networks[0].Labels = map[string]string{OwnerLabel: "rmq"}
	for name, h := range got.Hosts {
		h.Engine.Value.Owners = map[string]string{"data-" + name: "rmq", "other": "x"}
	}
	return w, got
}

func ids(p *Plan) string {
	var out []string
	for _, s := range p.Steps {
		out = append(out, string(s.ID))
	}
	return strings.Join(out, "\n")
}

func TestDestroyGoesLastFirst(t *testing.T) {
	w, got := standing(t)
	p, notes, err := Destroy(w, got, DestroyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := `service.proxy_proxy
service.db_db-01
service.db_db-02
service.db_db-03
config.db_conf-1111
config.rmqprov-rmq-db
config.rmqprov-rmq-proxy
secret.db_cookie-g1
network.prod
host.c.swarm
host.b.swarm
host.a.swarm
host.a.daemon
host.b.daemon
host.c.daemon`
	if ids(p) != want {
		t.Errorf("got\n%s\nwant\n%s", ids(p), want)
	}
	if last, _ := p.Step("host.a.swarm"); last.Action != (LeaveSwarm{Last: true}) {
		t.Errorf("the first manager ends the swarm, got %#v", last.Action)
	}
	if len(notes) != 2 || !strings.Contains(notes[0], "3 data volumes stay") {
		t.Errorf("notes are %q", notes)
	}
}

func TestDestroyLeavesASwarmThatOthersUse(t *testing.T) {
	tests := map[string]func(*state.Swarm){
		"service theirs": func(s *state.Swarm) {
			s.Services = append(s.Services, swarm.Service{Spec: swarm.ServiceSpec{Annotations: swarm.Annotations{Name: "theirs"}, TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{}}}})
		},
		"node them": func(s *state.Swarm) {
			s.Nodes = append(s.Nodes, swarm.Node{ID: "x", Description: swarm.NodeDescription{Hostname: "them"}})
		},
		"network theirs": func(s *state.Swarm) {
			s.Networks = append(s.Networks, network.Summary{Network: network.Network{Name: "theirs"}})
		},
	}
	for name, add := range tests {
		t.Run(name, func(t *testing.T) {
			w, got := standing(t)
			add(got.Swarm.Value)
			p, notes, err := Destroy(w, got, DestroyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if text := ids(p); strings.Contains(text, ".swarm") || strings.Contains(text, "theirs") || !strings.Contains(text, "host.a.node") {
				t.Errorf("steps are\n%s", text)
			}
			if !strings.Contains(notes[0], "the swarm stays") || !strings.Contains(notes[0], name) {
				t.Errorf("notes are %q", notes)
			}
			if _, _, err := Destroy(w, got, DestroyOptions{Docker: true}); err == nil {
				t.Error("--docker is not refused")
			}
		})
	}
}

func TestDestroyTakesDataOnlyWhenAsked(t *testing.T) {
	w, got := standing(t)
	p, _, err := Destroy(w, got, DestroyOptions{Volumes: true, Docker: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []string{"a", "b", "c"} {
		for _, id := range []string{"host.%s.volume.data-%[1]s", "host.%s.docker"} {
			if _, ok := p.Step(ID(fmt.Sprintf(id, h))); !ok {
				t.Errorf("no step "+id, h)
			}
		}
	}
	if strings.Contains(ids(p), "volume.other") {
		t.Error("somebody else's volume goes")
	}
}

func TestTheHistoryGoesWithTheDataAndLast(t *testing.T) {
	w, got := standing(t)
	got.Hosts["b"].Facts.Value.Files[LastRun("rmq")] = state.File{Content: []byte("{}")}
	p, _, err := Destroy(w, got, DestroyOptions{Volumes: true})
	if err != nil {
		t.Fatal(err)
	}
	last := p.Steps[len(p.Steps)-3:]
	for i, h := range []string{"a", "b", "c"} {
		if want := ID("host." + h + ".history"); last[i].ID != want || len(last[i].After) != len(p.Steps)-3 {
			t.Errorf("step %s waits for %d of %d steps, want %s after all", last[i].ID, len(last[i].After), len(p.Steps)-3, want)
		}
	}
	kept, notes, err := Destroy(w, got, DestroyOptions{})
	if err != nil || strings.Contains(ids(kept), "history") || !strings.Contains(strings.Join(notes, "\n"), "the history of runs stays") {
		t.Errorf("without --volumes: %v, %q,\n%s", err, notes, ids(kept))
	}
	nothing := bare(w)
	nothing.Hosts["b"].Facts.Value.Files[LastRun("rmq")] = state.File{Content: []byte("{}")}
	left, _, err := Destroy(w, nothing, DestroyOptions{Volumes: true})
	if err != nil || ids(left) != "host.b.history" {
		t.Errorf("where only the history is left: %v\n%s", err, ids(left))
	}
}

func TestDestroyKeepsOtherKeysOfDaemonJSON(t *testing.T) {
	w, got := standing(t)
	file := got.Hosts["a"].Facts.Value.Files
	file[DaemonPath] = state.File{Content: []byte(`{"debug":true,"log-opts":{"max-size":"50m","max-file":"3","tag":"x"}}`)}
	p, _, err := Destroy(w, got, DestroyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := p.Step("host.a.daemon")
	if w, ok := a.Action.(WriteDaemon); !ok || strings.Join(strings.Fields(string(w.Content)), "") != `{"debug":true,"log-opts":{"tag":"x"}}` || a.Kind != Update {
		t.Errorf("got %#v", a)
	}
	b, _ := p.Step("host.b.daemon")
	if r, ok := b.Action.(RemoveFiles); !ok || !slices.Equal(r.Paths, []string{DaemonPath}) {
		t.Errorf("got %#v", b.Action)
	}
}

// An apply was killed before it installed Docker, or a destroy after it removed
// the packages.
func TestDestroyTakesSettingsOfADockerThatIsNotThere(t *testing.T) {
	w := threeHosts()
	got := bare(w)
	got.Hosts["a"].Facts.Value.Files[DaemonPath] = state.File{Content: []byte(`{"log-opts":{"max-size":"50m","max-file":"3"}}`)}
	p, _, err := Destroy(w, got, DestroyOptions{Docker: true, Volumes: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Step("host.a.daemon"); !ok {
		t.Errorf("it stays:\n%s", ids(p))
	}
}

func TestDestroyTakesNothingFromBareHosts(t *testing.T) {
	w := threeHosts()
	p, notes, err := Destroy(w, bare(w), DestroyOptions{Docker: true, Volumes: true})
	if err != nil || !p.Empty() || len(notes) > 0 {
		t.Errorf("got %s, %q, %v", ids(p), notes, err)
	}
}

func TestDestroyGoesOnWhereALeaveWasBrokenOff(t *testing.T) {
	w, got := standing(t)
	b := got.Hosts["b"].Engine.Value
	b.NodeID, b.Manager, b.ClusterTags = "", false, nil
	got.Swarm.Value.Nodes[1].Status.State = swarm.NodeStateDown
	p, _, err := Destroy(w, got, DestroyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Step("host.b.swarm"); !ok {
		t.Errorf("b does not leave:\n%s", ids(p))
	}
}

func TestDestroyAroundAHostThatIsDown(t *testing.T) {
	tests := map[string]struct {
		away  []string
		alive bool
		want  string
	}{
		"one of three": {[]string{"b"}, false, `network.prod
node.node-b
host.c.swarm
host.a.swarm
host.a.volume.data-a
host.a.daemon
host.c.volume.data-c
host.c.daemon
host.a.history
host.c.history`},
		"two of three":            {[]string{"b", "c"}, false, "no majority"},
		"one that the swarm sees": {[]string{"b"}, true, "the swarm says that it lives"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w, got := standing(t)
			w.AllowUnreachable = true
			for i := range got.Swarm.Value.Nodes {
				got.Swarm.Value.Nodes[i].ManagerStatus = &swarm.ManagerStatus{Reachability: swarm.ReachabilityReachable}
			}
			for _, host := range tt.away {
				lose(got, host, tt.alive)
			}
			p, notes, err := Destroy(w, got, DestroyOptions{Volumes: true})
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Error(err)
				}
				return
			}
			if _, last, _ := strings.Cut(ids(p), "\nsecret.db_cookie-g1\n"); last != tt.want {
				t.Errorf("got\n%s\nwant\n%s", last, tt.want)
			}
			if len(notes) == 0 || !strings.Contains(notes[0], "b cannot be reached and keeps all") {
				t.Errorf("notes are %q", notes)
			}
		})
	}
}

func TestDestroyForgetsADeadNodeThatIsNoHostAnyMore(t *testing.T) {
	w, got := standing(t)
	got.Swarm.Value.Nodes[1].Status.State = swarm.NodeStateDown
	w.Inventory.Hosts = slices.Delete(w.Inventory.Hosts, 1, 2)
	p, _, err := Destroy(w, got, DestroyOptions{})
	if err != nil || !strings.Contains(ids(p), "node.node-b\nhost.c.swarm\nhost.a.swarm\n") {
		t.Errorf("%v\n%s", err, ids(p))
	}
}

// All managers that answer have left, and the run was killed before it removed
// the files.
func TestDestroyAroundGoesOnWhereTheSwarmHasEnded(t *testing.T) {
	w := threeHosts()
	w.AllowUnreachable = true
	got := bare(w)
	got.Hosts["a"].Facts.Value.Files[DaemonPath] = state.File{Content: []byte(`{"log-opts":{"max-size":"50m","max-file":"3"}}`)}
	lose(got, "b", true)
	p, _, err := Destroy(w, got, DestroyOptions{})
	if err != nil || ids(p) != "host.a.daemon" {
		t.Errorf("%v\n%s", err, ids(p))
	}
}
