package plan

import (
	"strings"
	"testing"
)

func TestTargetKeepsWhatAStepNeeds(t *testing.T) {
	w := threeHosts()
	whole, err := Make(w, bare(w))
	if err != nil {
		t.Fatal(err)
	}
	p, err := whole.Target([]ID{"host.b.swarm"})
	if err != nil {
		t.Fatal(err)
	}
	want := "host.a.daemon\nhost.a.docker\nhost.b.daemon\nhost.b.docker\n" +
		"host.a.preflight\nhost.b.preflight\nhost.c.preflight\nswarm.init\nhost.b.swarm"
	if ids(p) != want {
		t.Errorf("got\n%s\nwant\n%s", ids(p), want)
	}
}

func TestTargetRefusesAnUnknownStep(t *testing.T) {
	w := threeHosts()
	whole, err := Make(w, bare(w))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[ID]string{"host.b.swarn": "host.b.swarm", "nothing": "`rmqprov plan`"} {
		if _, err := whole.Target([]ID{id}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", id, err, want)
		}
	}
	if _, err := (&Plan{}).Target([]ID{"x"}); err == nil || !strings.Contains(err.Error(), "nothing to do") {
		t.Errorf("got %v", err)
	}
}
