package plan

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// RecoveredLabel is the label of a swarm that was begun anew from one of its
// managers: when. A swarm keeps its id over that, so this tells it from what is
// left of it as it was before.
const RecoveredLabel = "rmqprov.recovered"

// RecoverSwarm begins a swarm anew from one of its managers, with all that this
// one knows and without the others. All else stays as it was.
type RecoverSwarm struct {
	Start  state.SwarmStart
	Labels map[string]string
}

func (RecoverSwarm) action() {}

// Recover plans how a swarm comes back whose managers have lost their majority
// for good: from one of them, which then is the only one, and with what the
// playbooks do for the members that are left. New hosts are for the next plan of
// Make. Notes tell what is lost by it. The error is a Refused.
func Recover(want Want, got state.Snapshot, from string, seen state.Known[state.Survivor]) (p *Plan, notes []string, err error) {
	want.AllowUnreachable = true
	r := &recovery{builder: newBuilder(want, got), from: from, seen: seen.Value, done: map[string][]ID{}}
	r.checkHosts()
	r.checkFrom(seen.Err)
	if len(r.refused) == 0 {
		r.checkNeed()
	}
	if len(r.refused) > 0 {
		return nil, nil, r.refused
	}
	r.place()
	if got.Swarm.Value == nil || got.Swarm.Value.Labels[RecoveredLabel] == "" {
		r.add(r.beginAnew())
	}
	for _, s := range want.Stacks {
		r.stack(s)
	}
	return &Plan{Steps: sorted(r.steps)}, r.notes(), nil
}

// recovery collects the steps of a recover.
type recovery struct {
	*builder
	from string
	seen state.Survivor
	gone []string        // slots whose members are not on a host that answers
	done map[string][]ID // stack → all that is done for it
}

// checkFrom refuses a host that is no manager of this cluster, or cannot work as
// one now.
func (r *recovery) checkFrom(unread error) {
	seen, e := r.got.Hosts[r.from], r.engine(r.from)
	switch {
	case seen.Facts.Err != nil:
		r.refuse(r.from, "could not be observed: "+seen.Facts.Err.Error(), "recover from a manager that answers")
	case e == nil:
		r.refuse(r.from, "no Docker runs on it", "start it with `systemctl start docker` there, and look again: its swarm may come back by itself")
	case !e.Manager:
		r.refuse(r.from, "it is no manager of a swarm (its state is "+orDefault(e.SwarmState, "inactive")+")", "recover from a host that is: `rmqprov status` tells")
	case e.ClusterID != "" && e.ClusterTags[OwnerLabel] != r.inv.Cluster.Name, e.ClusterID == "" && !r.belongs():
		r.refuse(r.from, fmt.Sprintf("it is a manager of a swarm, and nothing on it is of cluster %q", r.inv.Cluster.Name), "name a host of this cluster")
	case unread != nil:
		r.refuse(r.from, "what its Docker keeps of its swarm could not be read: "+unread.Error(), "")
	}
}

// belongs says that a manager that cannot tell which swarm it is of holds
// something of the cluster: a stack's files, the history, or a member's volume.
func (r *recovery) belongs() bool {
	for _, owner := range r.engine(r.from).Owners {
		if owner == r.inv.Cluster.Name {
			return true
		}
	}
	folders := []string{path.Join("/etc/rmqprov", r.inv.Cluster.Name) + "/", HistoryDir(r.inv.Cluster.Name) + "/"}
	for file := range r.got.Hosts[r.from].Facts.Value.Files {
		if slices.ContainsFunc(folders, func(f string) bool { return strings.HasPrefix(file, f) }) {
			return true
		}
	}
	return false
}

// checkNeed refuses where the swarm works, or would if managers that are there
// were brought back: what is given up here is given up for good.
func (r *recovery) checkNeed() {
	switch {
	case r.got.Swarm.Err != nil:
		r.refuse("", "a host says that the swarm has a leader, and it could not be read: "+r.got.Swarm.Err.Error(), "look again in a moment")
	case r.got.Swarm.Value != nil && r.engine(r.from).ClusterID == "":
		r.refuse(r.from, "it has no leader, but other hosts of the inventory are in a swarm that has one", "put a host in its place: the swarm needs no recovery")
	case r.got.Swarm.Value != nil:
		r.checkBegun()
	default:
		r.checkManagers()
	}
}

// checkBegun refuses a swarm with a leader, unless it is one that was begun anew
// and whose lost managers nobody has replaced yet: a recover that was killed goes on.
func (r *recovery) checkBegun() {
	if slices.ContainsFunc(r.got.Swarm.Value.Nodes, givenUp) {
		return
	}
	reachable, all := r.managers()
	r.refuse("", fmt.Sprintf("the swarm has a leader, and %d of its %d managers answer: there is nothing to recover", reachable, all),
		"a host that is lost is replaced: put another in its place in the inventory and run apply")
}

// givenUp says that a node was a manager of a swarm as it was before it was begun
// anew: it counts as one still, and is none.
func givenUp(n swarm.Node) bool {
	return n.Spec.Role == swarm.NodeRoleManager && n.ManagerStatus == nil && n.Status.State == swarm.NodeStateDown
}

// checkManagers compares the managers that the swarm had with those that there
// are.
func (r *recovery) checkManagers() {
	var answer []string
	for _, m := range r.seen.Managers {
		host := r.hostOf(m.NodeID)
		switch {
		case host == r.from:
			answer = append(answer, r.from)
		case host != "":
			answer = append(answer, "host "+host)
		case m.Answers:
			answer = append(answer, "the manager at "+m.Address.String())
		}
	}
	all := len(r.seen.Managers)
	others := slices.DeleteFunc(slices.Clone(answer), func(name string) bool { return name == r.from })
	switch {
	case 2*len(answer) > all:
		r.refuse("", fmt.Sprintf("%d of %d managers of the swarm are there, which is a majority: %s", len(answer), all, strings.Join(answer, ", ")),
			"they elect a leader by themselves: see that Docker runs on them, and that they reach each other on port 2377")
	case len(others) > 0:
		r.refuse("", fmt.Sprintf("%s is not lost: it answers, and could come back to the old swarm beside the new one", strings.Join(others, ", ")),
			"bring back so many managers that they are a majority; or, where the others are lost for good, let it leave there with `docker swarm leave --force` and remove its members' volumes, or power it off for good")
	case all < 2:
		r.refuse(r.from, "it knows of no other manager of its swarm, and yet has no leader", "look at `journalctl -u docker` there")
	}
}

// hostOf names the host of the inventory that answers and is a node, "" where none is.
func (r *recovery) hostOf(node string) string {
	for _, h := range r.inv.Hosts {
		seen := r.got.Hosts[h.Name]
		if seen.Facts.Err == nil && (seen.Facts.Value.NodeID == node || r.engine(h.Name) != nil && r.engine(h.Name).NodeID == node) {
			return h.Name
		}
	}
	return ""
}

// place finds which slots' members are on hosts that answer. The swarm's labels
// cannot be read while it has no leader; the members' volumes can.
func (r *recovery) place() {
	for _, s := range r.want.Stacks {
		for _, set := range s.Slots {
			for _, slot := range set.Names {
				i := slices.IndexFunc(r.inv.Hosts, func(h inventory.Host) bool { return r.hasData(s, slot, h.Name) && r.member(h.Name) })
				if i < 0 {
					r.gone = append(r.gone, slot)
					continue
				}
				r.slots[slot] = r.inv.Hosts[i].Name
			}
		}
	}
}

func (r *recovery) beginAnew() Step {
	start := r.seen.Start
	if start.DataPathPort == 0 {
		start.DataPathPort = r.inv.Swarm.DataPathPort
	}
	return Step{
		ID: "swarm.recover", Host: r.from, Kind: Replace,
		Summary:  "begin the swarm anew from " + r.from + ", with all that it knows",
		Why:      fmt.Sprintf("the swarm has no leader: of %d managers only %s answers", len(r.seen.Managers), r.from),
		Disrupts: "gives up " + strings.Join(r.others(), ", ") + " for good",
		Action:   RecoverSwarm{Start: start, Labels: r.labels()},
	}
}

// others are the managers that are given up.
func (r *recovery) others() []string {
	var names []string
	for _, m := range r.seen.Managers {
		if r.hostOf(m.NodeID) != r.from {
			names = append(names, "manager "+m.Address.Addr().String())
		}
	}
	slices.Sort(names)
	return names
}

// stack plans what its playbook does for the members that are left, and their
// gates. The record is cleared first, so that the next apply brings it to its end.
func (r *recovery) stack(s playbooks.Stack) {
	p := &stackPlan{builder: r.builder, stack: s}
	left := slices.DeleteFunc(p.members(), func(svc playbooks.Service) bool { return r.slots[svc.Slot] == "" })
	lost := r.lostOf(s)
	if len(left) == 0 || len(lost) == 0 {
		return
	}
	begin := Step{
		ID: p.id("begin"), Kind: Run, Summary: "note that stack " + s.Name + " is being changed", After: []ID{"swarm.recover"},
		Why: strings.Join(lost, ", ") + " will not come back", Action: p.record(""),
	}
	r.add(begin)
	after := []ID{begin.ID}
	for _, dep := range s.DependsOn {
		after = append(after, r.done[dep]...)
	}
	for _, h := range s.Hooks {
		if h.Moment == playbooks.OnRecover {
			after = r.hook(p, h, left, lost, after)
		}
	}
	r.done[s.Name] = r.gates(p, left, lost, after)
}

func (r *recovery) lostOf(s playbooks.Stack) []string {
	var lost []string
	for _, set := range s.Slots {
		for _, slot := range set.Names {
			if slices.Contains(r.gone, slot) {
				lost = append(lost, slot)
			}
		}
	}
	return lost
}

// hook plans a deed at the members that are left: at each of them, or at one. It
// is done again until it succeeds, for members start anew meanwhile.
func (r *recovery) hook(p *stackPlan, h playbooks.Hook, left []playbooks.Service, lost []string, after []ID) []ID {
	var ids []ID
	if h.On != playbooks.OnSlot {
		left = left[:1]
	}
	for _, svc := range left {
		id := p.id("on-recover", h.Name, svc.Slot)
		r.add(Step{
			ID: id, Kind: Run, Summary: fmt.Sprintf("run %s of %s", h.Name, svc.Slot), Why: orDefault(h.Note, strings.Join(lost, ", ")+" will not come back"), After: after,
			Action: RunCommand{Exec: h.ExecAfter(svc.Slot, lost), Services: []string{svc.Name}, Within: within(h.Within)},
		})
		ids = append(ids, id)
	}
	return append(slices.Clone(after), ids...)
}

// gates plans the stack's gates as they hold without the lost members.
func (r *recovery) gates(p *stackPlan, left []playbooks.Service, lost []string, after []ID) []ID {
	var members []string
	for _, svc := range left {
		members = append(members, svc.Name)
	}
	for _, g := range p.stack.Gates {
		services := members
		if g.Service != "" {
			services = GateServices(p.stack, g)
		}
		id := p.id("gate", g.Name)
		r.add(Step{
			ID: id, Kind: Run, Summary: "wait for gate " + g.Name, Why: orDefault(g.Note, "the stack changes"), After: after,
			Action: RunCommand{Exec: g.ExecWithout(lost), Mend: g.Mend, Services: services, All: g.On != playbooks.OnOne, Within: within(g.Within)},
		})
		after = append(slices.Clone(after), id)
	}
	return after
}

// notes tell what an operator must know before the name is typed.
func (r *recovery) notes() []string {
	notes := []string{
		"what only the lost hosts had is lost: changes of the swarm, and of each stack, that had not reached " + r.from + " when they died",
		"the lost hosts must not come back with their disks: powered on, they would be a majority of the old swarm, and go on beside the new one",
	}
	for _, s := range r.want.Stacks {
		if lost := r.lostOf(s); len(lost) > 0 {
			notes = append(notes, "stack "+s.Name+" has lost "+strings.Join(lost, ", ")+"; put hosts into the inventory for those that are lost, and apply fills their places")
		}
	}
	return notes
}
