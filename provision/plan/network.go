package plan

import (
	"fmt"
	"strconv"

	"github.com/moby/moby/api/types/network"

	"github.com/rmqprov/rmqprov/inventory"
)

// stackLabel is on the networks that are a stack's own, as `docker stack deploy`
// puts it there.
const stackLabel = "com.docker.stack.namespace"

func networkID(name string) ID { return joined("network", name, nil) }

const (
	mtuOption       = "com.docker.network.driver.mtu"
	encryptedOption = "encrypted"
)

// networks plans the overlays. Docker can change nothing of a network in
// place: one that nothing uses is made anew, one in use is a refusal.
func (b *builder) networks() {
	for _, n := range b.inv.Networks {
		b.overlay(n, b.labels())
	}
	for _, s := range b.want.Stacks {
		for _, n := range s.Own {
			labels := b.labels()
			labels[stackLabel] = s.Name
			b.overlay(inventory.Network{Name: n.Name, Attachable: n.Attachable}, labels)
		}
	}
}

// overlay plans one network.
func (b *builder) overlay(n inventory.Network, labels map[string]string) {
	seen, exists := b.network(n.Name)
	step := Step{
		ID: networkID(n.Name), Kind: Create, Summary: "create overlay network " + n.Name,
		Why: "no network of that name", After: []ID{swarmInit},
	}
	action := CreateNetwork{
		Name: n.Name, Subnet: n.Subnet, MTU: n.MTU, Attachable: n.Attachable, Encrypted: n.Encrypted, Labels: labels,
	}
	if exists {
		step.Changes = networkChanges(n, seen)
		if len(step.Changes) == 0 {
			return
		}
		if user := b.networkUser(seen.ID); user != "" {
			b.refuse("", fmt.Sprintf("network %q differs in %s, and Docker can change neither while service %s uses it",
				n.Name, changedPaths(step.Changes), user),
				"give the new network another name and move the stacks to it, or put the old values back")
			return
		}
		step.Kind, step.Why, action.Replace = Replace, "differs in "+changedPaths(step.Changes)+"; nothing uses it", true
		step.Disrupts = "removes network " + n.Name + " and makes it anew"
	}
	step.Action = action
	b.add(step)
}

func (b *builder) network(name string) (network.Summary, bool) {
	if b.got.Swarm.Value == nil {
		return network.Summary{}, false
	}
	for _, n := range b.got.Swarm.Value.Networks {
		if n.Name == name {
			return n, true
		}
	}
	return network.Summary{}, false
}

func (b *builder) networkUser(id string) string {
	for _, s := range b.got.Swarm.Value.Services {
		for _, n := range s.Spec.TaskTemplate.Networks {
			if n.Target == id {
				return s.Spec.Name
			}
		}
	}
	return ""
}

func networkChanges(want inventory.Network, seen network.Summary) []Change {
	var changes []Change
	note := func(path string, before, after any) {
		if before != after {
			changes = append(changes, Change{Path: path, Before: before, After: after})
		}
	}
	note("driver", seen.Driver, "overlay")
	note("attachable", seen.Attachable, want.Attachable)
	_, encrypted := seen.Options[encryptedOption]
	note("encrypted", encrypted, want.Encrypted)
	if want.Subnet != "" && len(seen.IPAM.Config) > 0 {
		note("subnet", seen.IPAM.Config[0].Subnet.String(), want.Subnet)
	}
	if want.MTU != 0 {
		mtu, _ := strconv.Atoi(seen.Options[mtuOption])
		note("mtu", mtu, want.MTU)
	}
	return changes
}
