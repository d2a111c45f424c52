package main

import (
	"context"
	"slices"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
)

// whereabouts has the hosts that answer on a port, by its number, where those are not
// all.
type whereabouts map[int][]string

// hosts are those of the inventory that answer on a port.
func (w whereabouts) hosts(inv *inventory.Inventory, port int) []inventory.Host {
	names, some := w[port]
	return slices.DeleteFunc(slices.Clone(inv.Hosts), func(h inventory.Host) bool { return some && !slices.Contains(names, h.Name) })
}

// whereabouts asks the swarm where those services run that publish ports on some hosts
// only. Where that cannot be told, every host is named: it does no harm.
func (o *observed) whereabouts(ctx context.Context) whereabouts {
	ports := partial(o.want.Stacks, len(o.want.Inventory.Hosts))
	var services []string
	for _, names := range ports {
		services = append(services, names...)
	}
	if len(services) == 0 {
		return nil
	}
	where, err := o.Whereabouts(ctx, services)
	if err != nil {
		return nil
	}
	found := whereabouts{}
	for port, names := range ports {
		for _, service := range names {
			found[port] = append(found[port], where[service]...)
		}
	}
	return found
}

// partial finds the ports that are published on some of so many hosts only, with
// the services that publish them: on the hosts that these run on, and not by a
// service of every host or by enough members for all.
func partial(stacks []playbooks.Stack, hosts int) map[int][]string {
	services, tasks := map[int][]string{}, map[int]int{}
	for _, stack := range stacks {
		for _, s := range stack.Services {
			for _, p := range published(s.Spec) {
				services[p] = append(services[p], s.Name)
				tasks[p] += most(s.Spec.Mode, hosts)
			}
		}
	}
	for port, n := range tasks {
		if n >= hosts {
			delete(services, port)
		}
	}
	return services
}

// published are the ports that a service has on hosts. One of the swarm's own
// mesh is on all of them, as if it were published by nobody.
func published(spec swarm.ServiceSpec) []int {
	if spec.EndpointSpec == nil {
		return nil
	}
	var ports []int
	for _, p := range spec.EndpointSpec.Ports {
		if p.PublishMode == swarm.PortConfigPublishModeHost {
			ports = append(ports, int(p.PublishedPort))
		}
	}
	return ports
}

// most is how many of so many hosts a service runs on at the most.
func most(mode swarm.ServiceMode, hosts int) int {
	if mode.Replicated != nil && mode.Replicated.Replicas != nil {
		return int(*mode.Replicated.Replicas)
	}
	return hosts
}
