// Package sample makes plans and runs for the tests of what is shown. They look
// like the planner's and the engine's, and stay as they are when those change.
package sample

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// maker collects steps.
type maker struct{ steps []plan.Step }

func (m *maker) add(kind plan.Kind, host, id, summary, why string, action plan.Action, after ...plan.ID) plan.ID {
	slices.Sort(after)
	m.steps = append(m.steps, plan.Step{ID: plan.ID(id), Kind: kind, Host: host, Summary: summary, Why: why, After: slices.Compact(after), Action: action})
	return plan.ID(id)
}

// stack is one that the plan makes.
type stack struct {
	name, image string
	configs     []string
	secrets     []string
	members     int  // 0: a service on every host
	inTurn      bool // each member when the one before has started
	gates       []string
}

var stacks = []stack{
	{"consul", "consul:1.20", []string{"consul.hcl"}, []string{"gossip"}, 3, false, []string{"leader", "peers"}},
	{"rabbitmq", "rabbitmq:4.1-management", []string{"rabbitmq.conf", "enabled_plugins"}, []string{"erlang_cookie", "admin_password"}, 3, true, []string{"formed", "registered"}},
	{"haproxy", "haproxy:3.0", []string{"haproxy.cfg"}, []string{"stats_password"}, 0, false, []string{"backends"}},
}

// Plan is a plan for a RabbitMQ cluster on so many bare hosts, three at least.
func Plan(hosts int) *plan.Plan {
	m := &maker{}
	docker, proven := map[string]plan.ID{}, map[string]plan.ID{}
	for i := range hosts {
		h := hostName(i)
		daemon := m.add(plan.Create, h, "host."+h+".daemon", "write /etc/docker/daemon.json", "the file is not there", plan.WriteDaemon{})
		docker[h] = m.add(plan.Create, h, "host."+h+".docker", "install Docker from Debian GNU/Linux 13 (trixie)'s packages and start it", "docker not installed", plan.InstallDocker{}, daemon)
		proven[h] = m.add(plan.Run, h, "host."+h+".preflight", "check that the others reach it on 2377/tcp, 7946/tcp, 7946/udp, 4789/udp", "it joins", plan.Preflight{})
	}
	first := hostName(0)
	swarm := m.add(plan.Create, first, "swarm.init", "start a swarm with "+first+" as its first manager", "no host is in a swarm", plan.InitSwarm{}, docker[first], proven[first], proven[hostName(1)], proven[hostName(2)])
	network := m.add(plan.Create, "", "network.prod", "create overlay network prod", "no network of that name", plan.CreateNetwork{}, swarm)
	nodes, images := map[string]plan.ID{}, map[string]map[string]plan.ID{}
	for i := range hosts {
		h := hostName(i)
		nodes[h], images[h] = m.host(h, i, swarm, docker[h], proven[h])
	}
	ready := network
	for _, s := range stacks {
		ready = m.stack(s, hosts, swarm, ready, nodes, images)
	}
	return &plan.Plan{Steps: m.steps}
}

func hostName(i int) string { return fmt.Sprintf("node-%d", i+1) }

// host joins a host and brings it the images.
func (m *maker) host(h string, i int, swarm, docker, proven plan.ID) (node plan.ID, images map[string]plan.ID) {
	joined := swarm
	if i > 0 {
		role := "worker"
		if i < 3 {
			role = "manager"
		}
		joined = m.add(plan.Create, h, "host."+h+".swarm", "join the swarm as "+role, "not a member, want "+role, plan.JoinSwarm{}, swarm, docker, proven)
	}
	node = m.add(plan.Update, h, "host."+h+".node", "label the swarm node", "labels.rmqprov.cluster is missing", plan.UpdateNode{}, joined)
	images = map[string]plan.ID{}
	before := joined
	for n, s := range stacks {
		if i < 3 || n == len(stacks)-1 {
			before = m.add(plan.Create, h, "host."+h+".image."+s.image, "pull "+s.image, "image not on the host", plan.PullImage{Ref: s.image}, before)
			images[s.image] = before
		}
	}
	return node, images
}

// stack makes a stack, and returns what stands for it.
func (m *maker) stack(s stack, hosts int, swarm, needs plan.ID, nodes map[string]plan.ID, images map[string]map[string]plan.ID) plan.ID {
	prefix, before := "stack."+s.name+".", []plan.ID{needs}
	for _, c := range s.configs {
		before = append(before, m.add(plan.Create, "", prefix+"config."+c, "create config "+s.name+"_"+c+"-80398f0c", "no config of that content", plan.CreateConfig{}, swarm))
	}
	for _, c := range s.secrets {
		before = append(before, m.add(plan.Create, "", prefix+"secret."+c, "create secret "+s.name+"_"+c+"-g1", "not there; its value will be generated once", plan.CreateSecret{}, swarm))
	}
	var last []plan.ID
	if s.members == 0 {
		for i := range hosts {
			before = append(before, nodes[hostName(i)], images[hostName(i)][s.image])
		}
		last = []plan.ID{m.add(plan.Create, "", prefix+"service."+s.name, "create service "+s.name+"_"+s.name, "not deployed", plan.CreateService{}, before...)}
	}
	for i := range s.members {
		name := fmt.Sprintf("%s-%02d", s.name, i+1)
		after := append([]plan.ID{nodes[hostName(i)], images[hostName(i)][s.image]}, before...)
		if s.inTurn {
			after = append(after, last...)
		}
		service := m.add(plan.Create, "", prefix+"service."+name, "create service "+s.name+"_"+name, "not deployed", plan.CreateService{}, after...)
		if s.inTurn {
			last = []plan.ID{m.add(plan.Run, "", prefix+"gate.started."+name, "wait for gate started on "+name, "the member accepts clients", plan.RunCommand{}, service)}
		} else {
			last = append(last, service)
		}
	}
	for _, g := range s.gates {
		last = []plan.ID{m.add(plan.Run, "", prefix+"gate."+g, "wait for gate "+g, "all members are well", plan.RunCommand{}, last...)}
	}
	return m.add(plan.Run, "", prefix+"ready", "note that stack "+s.name+" stands and its gates hold", "no record that they do", plan.RecordStack{}, last...)
}

// Events is a run of a plan that begins at a time, as the engine tells it. Each
// step takes a time of its own; those in broken fail with what is given there,
// after their host said something.
func Events(p *plan.Plan, began time.Time, broken map[plan.ID]string) []provision.Event {
	var events []provision.Event
	ended, lost := map[plan.ID]time.Duration{}, map[plan.ID]plan.ID{}
	tell := func(s plan.Step, at time.Duration, kind provision.EventKind, took time.Duration, message string) {
		events = append(events, provision.Event{Time: began.Add(at), Kind: kind, Step: s.ID, Host: s.Host, Elapsed: took, Message: message})
	}
	for i, s := range p.Steps {
		tell(s, 0, provision.Planned, 0, s.Summary)
		at := time.Duration(0)
		for _, id := range s.After {
			at = max(at, ended[id])
			lost[s.ID] = cmp.Or(lost[s.ID], lost[id])
		}
		took := took(s, i)
		if cause := lost[s.ID]; cause != "" {
			ended[s.ID] = at
			tell(s, at, provision.Skipped, 0, fmt.Sprintf("not done, because %s failed", cause))
			continue
		}
		ended[s.ID] = at + took
		tell(s, at, provision.Started, 0, s.Summary)
		tell(s, at+took/3, provision.Output, took/3, "so far "+strings.ToLower(s.Summary))
		if message, fails := broken[s.ID]; fails {
			lost[s.ID] = s.ID
			tell(s, at+took/2, provision.Output, took/2, "Reading package lists...")
			tell(s, at+took, provision.Failed, took, message)
			continue
		}
		tell(s, at+took, provision.Done, took, "")
	}
	slices.SortStableFunc(events, func(a, b provision.Event) int { return a.Time.Compare(b.Time) })
	return events
}

// took is how long the step with an index takes.
func took(s plan.Step, i int) time.Duration {
	most := 900 * time.Millisecond
	switch s.Action.(type) {
	case plan.InstallDocker:
		most = 14 * time.Second
	case plan.PullImage, plan.CreateService:
		most = 7 * time.Second
	case plan.RunCommand:
		most = 4 * time.Second
	}
	return most - time.Duration(i*37%10)*most/20
}
