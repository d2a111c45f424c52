package playbooks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/docker/cli/cli/compose/loader"
	"github.com/docker/cli/cli/compose/types"
	"github.com/hashicorp/hcl/v2"
)

// lint warns of what works on the day it is deployed and hurts later. The
// reasons are in the texts.
func (b *binder) lint(f *composeFile, c *types.Config) {
	for _, svc := range c.Services {
		at := f.atService(svc.Name)
		b.lintEndpoint(at, svc)
		b.lintPorts(at, svc)
		if b.isSlot(svc.Name) {
			b.lintSlot(at, svc)
		}
	}
	b.lintIgnored(f)
	b.lintForeign(f, c)
}

// lintIgnored names what the compose file says in vain.
func (b *binder) lintIgnored(f *composeFile) {
	if tree, err := loader.ParseYAML(f.text); err == nil {
		if ignored := loader.GetUnsupportedProperties(tree); len(ignored) > 0 {
			b.warn(f.at(1), "Options without effect", "Swarm ignores these options of the compose file: %s.", listed(ignored))
		}
	}
}

func (b *binder) warn(at hcl.Range, summary, format string, args ...any) {
	b.diags = append(b.diags, warning(at, summary, fmt.Sprintf(format, args...)))
}

func (b *binder) isSlot(service string) bool {
	return slices.ContainsFunc(b.stack.Slots, func(s SlotSet) bool { return slices.Contains(s.Names, service) })
}

func (b *binder) lintEndpoint(at hcl.Range, svc types.ServiceConfig) {
	if mode := svc.Deploy.EndpointMode; mode != "dnsrr" {
		b.warn(at, "A virtual IP", "The service %q is reached by a virtual IP, whose idle connections are cut after 900 s without a word to either end. Set `deploy.endpoint_mode: dnsrr`.", svc.Name)
	}
}

func (b *binder) lintPorts(at hcl.Range, svc types.ServiceConfig) {
	for _, p := range svc.Ports {
		if p.Mode != "host" {
			b.warn(at, "A port in the routing mesh", "The service %q publishes %d through the routing mesh: clients' addresses are lost and idle connections are cut after 900 s. Write the port in its long form with `mode: host`.", svc.Name, p.Published)
		}
	}
}

// lintSlot checks what makes a member the same member after it has moved.
func (b *binder) lintSlot(at hcl.Range, svc types.ServiceConfig) {
	if svc.Hostname == "" {
		b.warn(at, "A member without a hostname", "The member %q gets a new hostname with every container; systems that know their members by name lose it. Set `hostname: %s`.", svc.Name, svc.Name)
	}
	if want := "node.labels." + NodeLabel(svc.Name) + " == true"; !slices.Contains(svc.Deploy.Placement.Constraints, want) {
		b.warn(at, "A member that can wander", "Nothing keeps the member %q on the host that holds its slot and its volume. Add `%s` to `deploy.placement.constraints`.", svc.Name, want)
	}
	if svc.StopGracePeriod == nil {
		b.warn(at, "A member that is killed", "The member %q is killed 10 s after it is asked to stop. Set `stop_grace_period` to what it needs to end in order.", svc.Name)
	}
}

// lintForeign names configs and secrets that the stack uses and its playbook
// does not make.
func (b *binder) lintForeign(f *composeFile, c *types.Config) {
	made := map[string]bool{}
	for _, o := range b.stack.Configs {
		made["config "+o.Object] = true
	}
	for _, s := range b.stack.Secrets {
		for _, o := range s.Objects {
			made["secret "+o.Object] = true
		}
	}
	foreign := func(kind, key, name string) {
		if name = cmp.Or(name, key); !made[kind+" "+name] {
			b.warn(f.at(f.lines[kind+"s."+key]), "Not of this playbook", "The %s %q is not made by the playbook; it must be in the swarm before this is deployed. Was ${%s.….name} meant?", kind, name, kind)
		}
	}
	for _, key := range sortedKeys(c.Configs) {
		foreign("config", key, c.Configs[key].Name)
	}
	for _, key := range sortedKeys(c.Secrets) {
		foreign("secret", key, c.Secrets[key].Name)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
