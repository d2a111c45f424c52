package plan

import (
	"slices"
	"strings"
)

// leftovers plans the removal of what rmqprov made and nothing wants any
// more: services first, then the configs and secrets that they held.
func (b *builder) leftovers() {
	if b.got.Swarm.Value == nil {
		return
	}
	var services []ID
	for _, s := range b.steps {
		if strings.HasPrefix(string(s.ID), "stack.") {
			services = append(services, s.ID)
		}
	}
	services = append(services, b.oldServices()...)
	b.oldConfigs(services)
	b.oldSecrets(services)
	b.oldNetworks(services)
	b.oldImages(services)
}

// oldNetworks plans the removal of networks that were a stack's own. Those of
// the inventory stay: others may have come to use them.
func (b *builder) oldNetworks(after []ID) {
	wanted := map[string]bool{}
	for _, s := range b.want.Stacks {
		for _, n := range s.Own {
			wanted[n.Name] = true
		}
	}
	for _, n := range b.inv.Networks {
		wanted[n.Name] = true
	}
	for _, n := range b.got.Swarm.Value.Networks {
		if wanted[n.Name] || !b.ours(n.Labels) || n.Labels[stackLabel] == "" {
			continue
		}
		b.add(Step{
			ID: networkID(n.Name), Kind: Delete, Summary: "remove overlay network " + n.Name,
			Why: "it was stack " + n.Labels[stackLabel] + "'s own, which has it no more", After: slices.Clone(after), Action: RemoveNetwork{Name: n.Name},
		})
	}
}

func (b *builder) ours(labels map[string]string) bool {
	return labels[OwnerLabel] == b.inv.Cluster.Name
}

func (b *builder) oldServices() []ID {
	wanted := map[string]bool{}
	for _, s := range b.want.Stacks {
		for _, svc := range s.Services {
			wanted[svc.Name] = true
		}
	}
	var ids []ID
	for _, svc := range b.got.Swarm.Value.Services {
		if wanted[svc.Spec.Name] || !b.ours(svc.Spec.Labels) {
			continue
		}
		id := joined("service", svc.Spec.Name, nil)
		ids = append(ids, id)
		if b.planned(id) { // a member that is retired
			continue
		}
		b.add(Step{
			ID: id, Kind: Delete, Summary: "remove service " + svc.Spec.Name, Why: "the inventory does not have it",
			Disrupts: "stops " + svc.Spec.Name, Action: RemoveService{Name: svc.Spec.Name},
		})
		b.hold(id, b.removalWithout(svc.Spec.Name))
	}
	return ids
}

func (b *builder) oldConfigs(after []ID) {
	wanted := map[string]bool{}
	for _, s := range b.want.Stacks {
		wanted[RecordObject(b.inv.Cluster.Name, s.Name)] = true
		for _, c := range s.Configs {
			wanted[c.Object] = true
		}
	}
	for _, c := range b.got.Swarm.Value.Configs {
		if wanted[c.Spec.Name] || !b.ours(c.Spec.Labels) {
			continue
		}
		b.add(Step{
			ID: joined("config", c.Spec.Name, nil), Kind: Delete, Summary: "remove config " + c.Spec.Name,
			Why: "nothing refers to it any more", After: slices.Clone(after), Action: RemoveConfig{Object: c.Spec.Name},
		})
	}
}

func (b *builder) oldSecrets(after []ID) {
	wanted := map[string]bool{}
	for _, s := range b.want.Stacks {
		for _, secret := range s.Secrets {
			for _, o := range secret.Objects {
				wanted[o.Object] = true
			}
		}
	}
	for _, s := range b.got.Swarm.Value.Secrets {
		if wanted[s.Spec.Name] || !b.ours(s.Spec.Labels) {
			continue
		}
		b.add(Step{
			ID: joined("secret", s.Spec.Name, nil), Kind: Delete, Summary: "remove secret " + s.Spec.Name,
			Why: "nothing refers to it any more", After: slices.Clone(after), Action: RemoveSecret{Object: s.Spec.Name},
		})
	}
}
