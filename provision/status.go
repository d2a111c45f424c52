package provision

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/state"
)

// Status is the cluster's health as one look sees it. Its JSON form is part
// of the command line's contract.
type Status struct {
	Healthy   bool          `json:"healthy"`
	Hosts     []HostStatus  `json:"hosts"`
	Stacks    []StackStatus `json:"stacks"`
	Drift     []string      `json:"drift"` // what apply would change, a line each
	LastApply LastApply     `json:"last_apply"`
}

// HostStatus is one host.
type HostStatus struct {
	Name    string      `json:"name"`
	Address string      `json:"address"`
	OS      string      `json:"os"`
	Docker  string      `json:"docker"`
	Swarm   SwarmStatus `json:"swarm"`
	Slots   []string    `json:"slots"`
	Error   string      `json:"error,omitempty"`
}

// SwarmStatus is a host's part in the swarm.
type SwarmStatus struct {
	Role   string `json:"role"`
	State  string `json:"state"`
	Leader bool   `json:"leader"`
}

// StackStatus is one stack.
type StackStatus struct {
	Name     string          `json:"name"`
	Services []ServiceStatus `json:"services"`
	Gates    []GateStatus    `json:"gates"`
}

// ServiceStatus counts a service's tasks.
type ServiceStatus struct {
	Name    string `json:"name"`
	Running int    `json:"running"`
	Desired int    `json:"desired"`
	Image   string `json:"image"`
}

// GateStatus is a gate asked once.
type GateStatus struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// LastApply says when a run last changed the cluster, by whom, and with which
// version. The zero value: none is known of.
type LastApply struct {
	Time    string `json:"time"`
	By      string `json:"by"`
	Version string `json:"version"`

	// What only the history knows, "" where it is lost.
	Verb      string     `json:"verb,omitempty"`
	From      string     `json:"from,omitempty"` // path of the inventory with By
	Inventory string     `json:"inventory,omitempty"`
	Outcome   RunOutcome `json:"outcome,omitempty"`
}

// Status makes the status of what was observed, and asks every gate once.
func (s *Session) Status(ctx context.Context, want plan.Want, got state.Snapshot) Status {
	st := Status{Healthy: true, Drift: []string{}, Stacks: []StackStatus{}}
	for _, name := range s.names {
		h := hostStatus(s.hosts[name], got)
		st.Hosts = append(st.Hosts, h)
		st.Healthy = st.Healthy && h.Error == "" && h.Swarm.State == string(swarm.NodeStateReady)
	}
	checks := s.gates(ctx, want)
	for _, stack := range want.Stacks {
		x := StackStatus{Name: stack.Name, Services: serviceStatuses(stack, got), Gates: []GateStatus{}}
		for _, c := range checks {
			if c.Stack == stack.Name {
				x.Gates = append(x.Gates, GateStatus{c.Name, c.OK, c.Detail})
				st.Healthy = st.Healthy && c.OK
			}
		}
		for _, svc := range x.Services {
			st.Healthy = st.Healthy && svc.Desired > 0 && svc.Running >= svc.Desired
		}
		st.Stacks = append(st.Stacks, x)
	}
	st.Drift = drift(want, got)
	st.LastApply = LastApplied(got, s.inv.Cluster.Name)
	return st
}

// gates asks all gates of all stacks.
func (s *Session) gates(ctx context.Context, want plan.Want) []Check {
	only := plan.Want{Inventory: want.Inventory}
	for _, stack := range want.Stacks {
		stack.Proofs = nil
		only.Stacks = append(only.Stacks, stack)
	}
	return s.Verify(ctx, only)
}

// drift lists what apply would change; a plan that is refused is drift too.
func drift(want plan.Want, got state.Snapshot) []string {
	p, err := plan.Make(want, got)
	if err != nil {
		return []string{err.Error()}
	}
	lines := []string{}
	for _, step := range p.Steps {
		_, record := step.Action.(plan.RecordStack)
		if step.Kind == plan.Run && !record { // a check on the way, not a difference
			continue
		}
		lines = append(lines, string(step.ID)+": "+step.Why)
	}
	return lines
}

func hostStatus(m *machine, got state.Snapshot) HostStatus {
	seen := got.Hosts[m.Name]
	h := HostStatus{Name: m.Name, Address: m.Address, OS: seen.Facts.Value.OS.Pretty, Slots: []string{}}
	h.Swarm.State = "absent"
	if err := cmp.Or(seen.Facts.Err, seen.Engine.Err); err != nil {
		h.Error = err.Error()
	}
	e := seen.Engine.Value
	if e == nil || got.Swarm.Value == nil {
		return h
	}
	h.Docker = e.Version
	node, ok := got.Swarm.Value.Node(e.NodeID)
	if !ok {
		return h
	}
	h.Swarm = SwarmStatus{
		Role: string(node.Spec.Role), State: string(node.Status.State),
		Leader: node.ManagerStatus != nil && node.ManagerStatus.Leader,
	}
	for label := range node.Spec.Labels {
		if slot, ok := strings.CutPrefix(label, playbooks.NodeLabel("")); ok {
			h.Slots = append(h.Slots, slot)
		}
	}
	slices.Sort(h.Slots)
	return h
}

func serviceStatuses(stack playbooks.Stack, got state.Snapshot) []ServiceStatus {
	var out []ServiceStatus
	for _, svc := range stack.Services {
		x := ServiceStatus{Name: svc.Name, Image: svc.Spec.TaskTemplate.ContainerSpec.Image}
		if got.Swarm.Value != nil {
			for _, seen := range got.Swarm.Value.Services {
				if seen.Spec.Name == svc.Name && seen.ServiceStatus != nil {
					x.Running, x.Desired = int(seen.ServiceStatus.RunningTasks), int(seen.ServiceStatus.DesiredTasks)
				}
			}
		}
		out = append(out, x)
	}
	return out
}

// LastApplied tells who changed the cluster last: the managers' histories know,
// and the stacks' records where those are lost.
func LastApplied(got state.Snapshot, cluster string) LastApply {
	run, record := lastRun(got, cluster), lastRecord(got, cluster)
	if record.Time > run.Time && (record.By != run.By || record.Inventory != run.Inventory) {
		return record
	}
	return run // a stack's record that is newer was written by that very run
}

// lastRun is the newest of the managers' last runs.
func lastRun(got state.Snapshot, cluster string) LastApply {
	var last Run
	for _, h := range got.Hosts {
		var run Run
		if json.Unmarshal(h.Facts.Value.Files[plan.LastRun(cluster)].Content, &run) != nil {
			continue // none there, or nothing to go by
		}
		if c := run.ended().Compare(last.ended()); c > 0 || c == 0 && run.Outcome != RunBegun {
			last = run
		}
	}
	if last.ID == "" {
		return LastApply{}
	}
	return LastApply{
		Time: last.ended().Format(time.RFC3339), By: last.By, Version: last.Version,
		Verb: last.Verb, From: last.From, Inventory: last.Inventory, Outcome: last.Outcome,
	}
}

// ended is when the run ended, or began where it did not end.
func (run Run) ended() time.Time { return run.Began.Add(time.Duration(run.TookMS) * time.Millisecond) }

// lastRecord is the newest of the stacks' records.
func lastRecord(got state.Snapshot, cluster string) LastApply {
	var last LastApply
	if got.Swarm.Value == nil {
		return last
	}
	for _, c := range got.Swarm.Value.Configs {
		l := c.Spec.Labels
		if l[plan.OwnerLabel] == cluster && l[TimeLabel] > last.Time {
			last = LastApply{Time: l[TimeLabel], By: l[ByLabel], Version: l[VersionLabel], Inventory: l[InventoryLabel]}
		}
	}
	return last
}
