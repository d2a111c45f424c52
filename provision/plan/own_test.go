package plan

import (
	"slices"
	"testing"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/playbooks"
)

// A stack's own network is there before its services, stays while the stack is
// wanted, and goes after them.
func TestAStacksOwnNetwork(t *testing.T) {
	w := threeHosts()
	got := built(t, w)
	shop := service("shop", "web", "", "shop:1")
	shop.Spec.TaskTemplate.Networks = []swarm.NetworkAttachmentConfig{{Target: "shop_default"}}
	w.Stacks = append(w.Stacks, playbooks.Stack{
		Name: "shop", DependsOn: []string{"proxy"}, Services: []playbooks.Service{shop},
		Networks: []string{"shop_default"}, Own: []playbooks.Network{{Name: "shop_default"}},
	})
	p := mustMake(t, w, got)
	if made, _ := p.Step("network.shop_default"); made.Kind != Create || made.Action.(CreateNetwork).Labels[stackLabel] != "shop" {
		t.Errorf("no step makes the network, with the stack's label:\n%s", p.Graph())
	}
	if after := waits(t, p, "stack.shop.service.web"); !slices.Contains(after, "network.shop_default") {
		t.Errorf("the service waits for %q, and not for its network", after)
	}

	for _, step := range p.Steps {
		if _, isNetwork := step.Action.(CreateNetwork); !isNetwork {
			apply(got, step)
		}
	}
	got.Swarm.Value.Networks = append(got.Swarm.Value.Networks, network.Summary{Network: network.Network{
		ID: "own-id", Name: "shop_default", Driver: "overlay", Labels: map[string]string{OwnerLabel: "rmq", stackLabel: "shop"},
	}})
	got.Swarm.Value.Services[len(got.Swarm.Value.Services)-1].Spec.TaskTemplate.Networks[0].Target = "own-id"
	if p := mustMake(t, w, got); !p.Empty() {
		t.Errorf("there is more to do:\n%s", p.Graph())
	}

	w.Stacks = w.Stacks[:2]
	p = mustMake(t, w, got)
	if gone, _ := p.Step("network.shop_default"); gone.Kind != Delete || !slices.Contains(gone.After, "service.shop_web") {
		t.Errorf("the network does not go after the stack:\n%s", p.Graph())
	}
}
