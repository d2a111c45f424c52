package plan

import (
	"strings"
	"testing"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
)

// A service of every host is part of what a new host must have before all is done.
func TestMakeWaitsForAGlobalServiceOnANewHost(t *testing.T) {
	w := threeHosts()
	w.Stacks[1].Services[0].Spec.Mode.Global = &swarm.GlobalService{}
	got := built(t, w)
	if p := mustMake(t, w, got); len(p.Steps) > 0 {
		t.Fatalf("with all hosts there is something to do:\n%s", p.Graph())
	}
	w.Inventory.Hosts = append(w.Inventory.Hosts, inventory.Host{Name: "d", Address: "192.0.2.4"})
	got.Hosts["d"] = bare(w).Hosts["d"]
	text := mustMake(t, w, got).Graph()
	for _, want := range []string{
		"\nstack.proxy.service.proxy.spread ← host.d.image.proxy:1, host.d.node, host.d.swarm, stack.proxy.begin : runs on every host\n",
		"\nstack.proxy.ready ← stack.proxy.service.proxy.spread : they must hold again\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %s in\n%s", want, text)
		}
	}
}
