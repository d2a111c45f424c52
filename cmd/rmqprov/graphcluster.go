package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/drawing"
	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/state"
)

// clusterOf is the cluster as a picture shows it: what is wanted, where it is
// or, by the plan, will be, and whether it runs.
func clusterOf(want plan.Want, got state.Snapshot, p *plan.Plan) drawing.Cluster {
	inv := want.Inventory
	out := drawing.Cluster{Name: inv.Cluster.Name, Ports: clusterPorts(want), Reach: reach(inv)}
	for _, s := range want.Stacks {
		var images []string
		for _, svc := range s.Services {
			images = append(images, svc.Spec.TaskTemplate.ContainerSpec.Image)
		}
		slices.Sort(images)
		out.Stacks = append(out.Stacks, drawing.Stack{Name: s.Name, DependsOn: s.DependsOn, Images: slices.Compact(images)})
	}
	placed := placed{got: got, plan: p}
	for _, h := range inv.Hosts {
		i := slices.IndexFunc(out.Zones, func(z drawing.Zone) bool { return z.Name == h.Zone })
		if i < 0 {
			i, out.Zones = len(out.Zones), append(out.Zones, drawing.Zone{Name: h.Zone})
		}
		out.Zones[i].Hosts = append(out.Zones[i].Hosts, drawing.Host{
			Name: h.Name, Address: h.Address, Role: placed.role(inv, h), Holds: placed.on(h, want.Stacks),
		})
	}
	return out
}

// reach says who the clients and the operators are, where a security group
// holds others off.
func reach(inv *inventory.Inventory) map[string]string {
	if inv.SecurityGroup == nil {
		return nil
	}
	return map[string]string{
		"clients":   cmp.Or(strings.Join(inv.SecurityGroup.Clients, ", "), "nobody"),
		"operators": cmp.Or(strings.Join(inv.SecurityGroup.Operators, ", "), "nobody"),
	}
}

// clusterPorts are the ports of the swarm, of SSH and of the stacks.
func clusterPorts(want plan.Want) []drawing.Port {
	inv := want.Inventory
	ports := []drawing.Port{
		{Number: 2377, Protocol: "tcp", From: "hosts", Note: "the swarm's control"},
		{Number: 7946, Protocol: "tcp", From: "hosts", Note: "the swarm's gossip"},
		{Number: 7946, Protocol: "udp", From: "hosts", Note: "the swarm's gossip"},
		{Number: cmp.Or(inv.Swarm.DataPathPort, 4789), Protocol: "udp", From: "hosts", Note: "overlay networks"},
		{Number: cmp.Or(inv.SSH.Port, 22), Protocol: "tcp", From: "operators", Note: "SSH"},
	}
	for _, s := range want.Stacks {
		for _, p := range s.Ports {
			ports = append(ports, drawing.Port{Number: p.Number, Protocol: p.Protocol, From: p.From, Stack: s.Name, Note: p.Note})
		}
	}
	return ports
}

// placed tells what is where.
type placed struct {
	got  state.Snapshot
	plan *plan.Plan
}

// role is a host's role in the swarm, or the one that it is to have.
func (p placed) role(inv *inventory.Inventory, h inventory.Host) string {
	if engine := p.got.Hosts[h.Name].Engine.Value; engine != nil && p.got.Swarm.Value != nil {
		if node, ok := p.got.Swarm.Value.Node(engine.NodeID); ok {
			return string(node.Spec.Role)
		}
	}
	if slices.Contains(inv.Managers(), h.Name) {
		return "manager to be"
	}
	return "worker to be"
}

// on lists what a host holds: members whose slots are labelled on its swarm
// node, or will be, and services that run on every host.
func (p placed) on(h inventory.Host, stacks []playbooks.Stack) []drawing.Holding {
	var out []drawing.Holding
	labels := p.labels(h.Name)
	for _, s := range stacks {
		for _, svc := range s.Services {
			held := svc.Slot != "" && labels[playbooks.NodeLabel(svc.Slot)] == "true"
			if held || svc.Slot == "" && svc.Spec.Mode.Global != nil {
				name := cmp.Or(svc.Slot, strings.TrimPrefix(svc.Name, s.Name+"_"))
				running, desired := p.tasks(svc.Name)
				if svc.Slot == "" && p.ready(h.Name) && running > 0 && running < desired {
					name = fmt.Sprintf("%s (on %d of %d)", name, running, desired)
				}
				out = append(out, drawing.Holding{Name: name, Stack: s.Name, Absent: running == 0 || !p.ready(h.Name)})
			}
		}
	}
	return out
}

// labels are those of the host's swarm node, with those that the plan sets.
func (p placed) labels(host string) map[string]string {
	labels := map[string]string{}
	if engine := p.got.Hosts[host].Engine.Value; engine != nil && p.got.Swarm.Value != nil {
		node, _ := p.got.Swarm.Value.Node(engine.NodeID)
		for k, v := range node.Spec.Labels {
			labels[k] = v
		}
	}
	for _, s := range p.plan.Steps {
		if update, ok := s.Action.(plan.UpdateNode); ok && s.Host == host {
			for k, v := range update.Set {
				labels[k] = v
			}
			for _, k := range update.Remove {
				delete(labels, k)
			}
		}
	}
	return labels
}

// tasks counts the tasks of a service that run, and those that should.
func (p placed) tasks(service string) (running, desired int) {
	if p.got.Swarm.Value == nil {
		return 0, 0
	}
	for _, s := range p.got.Swarm.Value.Services {
		if s.Spec.Name == service && s.ServiceStatus != nil {
			return int(s.ServiceStatus.RunningTasks), int(s.ServiceStatus.DesiredTasks)
		}
	}
	return 0, 0
}

// ready says that the swarm reaches a host.
func (p placed) ready(host string) bool {
	engine, seen := p.got.Hosts[host].Engine.Value, p.got.Swarm.Value
	if engine == nil || seen == nil {
		return false
	}
	node, ok := seen.Node(engine.NodeID)
	return ok && node.Status.State == swarm.NodeStateReady
}

// holdingText marks what does not run.
func holdingText(h drawing.Holding) string {
	if h.Absent {
		return h.Name + " (not running)"
	}
	return h.Name
}

// hostText is a host with what it holds, a line each.
func hostText(h drawing.Host) []string {
	lines := []string{h.Name, h.Address + ", " + h.Role}
	for _, held := range h.Holds {
		lines = append(lines, holdingText(held))
	}
	return lines
}

// portsText are the ports that an audience may reach, a line each.
func portsText(c drawing.Cluster, from string) []string {
	lines := []string{strings.TrimSuffix(from+": "+c.Reach[from], ": ")}
	for _, p := range c.Ports {
		if p.From == from {
			lines = append(lines, fmt.Sprintf("%d/%s %s", p.Number, p.Protocol, strings.TrimPrefix(p.Stack+": "+p.Note, ": ")))
		}
	}
	return lines
}

// portsFrom are those who may reach ports.
var portsFrom = []string{"clients", "operators", "hosts"}

func writeClusterDot(w io.Writer, c drawing.Cluster) error {
	var b strings.Builder
	b.WriteString("digraph cluster {\n  compound=true;\n  node [shape=box];\n")
	for i, z := range c.Zones {
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s;\n", i, dotQuote(cmp.Or(z.Name, "hosts")))
		for _, h := range z.Hosts {
			fmt.Fprintf(&b, "    %s [label=%s];\n", dotQuote(h.Name), dotQuote(strings.Join(hostText(h), "\n")))
		}
		b.WriteString("  }\n")
	}
	for _, from := range portsFrom {
		fmt.Fprintf(&b, "  %s [label=%s, shape=note];\n", dotQuote("from "+from), dotQuote(strings.Join(portsText(c, from), "\n")))
		for i, z := range c.Zones {
			fmt.Fprintf(&b, "  %s -> %s [lhead=cluster_%d];\n", dotQuote("from "+from), dotQuote(z.Hosts[0].Name), i)
		}
	}
	for _, s := range c.Stacks {
		fmt.Fprintf(&b, "  %s [label=%s, shape=component];\n", dotQuote("stack "+s.Name), dotQuote(strings.Join(append([]string{s.Name}, s.Images...), "\n")))
		for _, need := range s.DependsOn {
			fmt.Fprintf(&b, "  %s -> %s [label=needs];\n", dotQuote("stack "+s.Name), dotQuote("stack "+need))
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func writeClusterMermaid(w io.Writer, c drawing.Cluster) error {
	var b strings.Builder
	b.WriteString("flowchart TB\n")
	hosts := 0
	for i, z := range c.Zones {
		fmt.Fprintf(&b, "  subgraph z%d [\"%s\"]\n", i, mermaidText(cmp.Or(z.Name, "hosts")))
		for _, h := range z.Hosts {
			fmt.Fprintf(&b, "    h%d[\"%s\"]\n", hosts, mermaidLines(hostText(h)))
			hosts++
		}
		b.WriteString("  end\n")
	}
	for _, from := range portsFrom {
		fmt.Fprintf(&b, "  %s_[\"%s\"]\n", from, mermaidLines(portsText(c, from)))
		for i := range c.Zones {
			fmt.Fprintf(&b, "  %s_ --> z%d\n", from, i)
		}
	}
	number := map[string]int{}
	for i, s := range c.Stacks {
		number[s.Name] = i
		fmt.Fprintf(&b, "  s%d([\"%s\"])\n", i, mermaidLines(append([]string{s.Name}, s.Images...)))
	}
	for i, s := range c.Stacks {
		for _, need := range s.DependsOn {
			fmt.Fprintf(&b, "  s%d -- needs --> s%d\n", i, number[need])
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func mermaidLines(lines []string) string {
	return strings.ReplaceAll(mermaidText(strings.Join(lines, "\n")), "\n", "<br/>")
}
