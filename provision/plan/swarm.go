package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/state"
)

const swarmInit = ID("swarm.init")

// checkSwarm refuses swarms that are not ours: joining, leaving or starting
// over one of those could cost somebody a cluster.
func (b *builder) checkSwarm() {
	if b.got.Swarm.Err != nil {
		b.refuse("", "the swarm could not be read: "+b.got.Swarm.Err.Error(),
			"where its managers have lost their majority, bring the missing hosts back, or see `rmqprov recover`")
		return
	}
	for _, h := range b.inv.Hosts {
		if e := b.engine(h.Name); e != nil && e.SwarmState != "" && e.SwarmState != "inactive" {
			b.checkMember(h, e)
		}
	}
}

func (b *builder) checkMember(h inventory.Host, e *state.Engine) {
	ours := b.got.Swarm.Value
	switch {
	case e.SwarmState == "locked":
		b.refuse(h.Name, "its swarm is locked", "unlock it there with `docker swarm unlock`")
	case e.SwarmState == "error":
		b.refuse(h.Name, "its Docker cannot take part in its swarm: "+e.SwarmError, "look at `docker info` there")
	case e.Manager && e.ClusterID == "":
		b.refuse(h.Name, "it is a manager (node "+e.NodeID+") whose swarm has no leader, and cannot say which swarm that is",
			"bring the other managers of that swarm back; where another host has taken its place meanwhile, let it leave: `docker swarm leave --force` there")
	case e.Manager && e.ClusterTags[OwnerLabel] != b.inv.Cluster.Name:
		b.refuse(h.Name, fmt.Sprintf("it is a manager of swarm %s, which is not cluster %q of rmqprov", e.ClusterID, b.inv.Cluster.Name),
			"take the host out of the inventory, or let it leave that swarm first: `docker swarm leave --force` there")
	case ours == nil:
		b.refuse(h.Name, "it is a worker (node "+e.NodeID+") of a swarm none of whose managers is in the inventory",
			"add a manager of that swarm to the inventory, or let the host leave it: `docker swarm leave` there")
	case e.Manager && e.ClusterID != ours.ID:
		b.refuse(h.Name, fmt.Sprintf("it is in swarm %s, other hosts of the inventory are in swarm %s", e.ClusterID, ours.ID),
			"decide which of the two holds the data; let the hosts of the other leave it with `docker swarm leave --force`")
	case e.Manager && (e.ClusterTags[RecoveredLabel] != ours.Labels[RecoveredLabel] || e.NodeID != "" && !b.inSwarm(e.NodeID)):
		b.refuse(h.Name, fmt.Sprintf("it is a manager of swarm %s as it was before it was recovered without it", e.ClusterID),
			"power it off for good; where it is to be used again, let it leave with `docker swarm leave --force` and remove its members' volumes there")
	case !e.Manager && !b.inSwarm(e.NodeID):
		b.refuse(h.Name, "it is node "+e.NodeID+" of another swarm than "+ours.ID,
			"take the host out of the inventory, or let it leave that swarm first: `docker swarm leave` there")
	}
}

func (b *builder) inSwarm(nodeID string) bool {
	_, ok := b.nodes[nodeID]
	return ok
}

// member says whether a host is in the swarm already.
func (b *builder) member(host string) bool {
	e := b.engine(host)
	return e != nil && e.NodeID != "" && e.SwarmState != "inactive" || e == nil && b.inSwarm(b.nodeID(host))
}

// swarm plans the swarm's beginning and the hosts' joining. Joins wait for
// nothing but the first manager and the host's own Docker.
func (b *builder) swarm() {
	managers := b.inv.Managers()
	through := slices.DeleteFunc(slices.Clone(managers), func(h string) bool {
		e := b.engine(h)
		return e == nil || !e.Manager
	})
	if b.got.Swarm.Value == nil {
		b.add(b.initStep(managers[0]))
		through = managers[:1]
	}
	for _, h := range b.reached() {
		if b.member(h.Name) || b.got.Swarm.Value == nil && h.Name == managers[0] {
			continue
		}
		b.add(b.joinStep(h, slices.Contains(managers, h.Name), through))
	}
}

func (b *builder) initStep(first string) Step {
	var asked []string
	for _, h := range b.inv.Hosts {
		asked = append(asked, h.Name)
	}
	s := b.inv.Swarm
	return Step{
		ID: swarmInit, Host: first, Kind: Create,
		Summary: "start a swarm with " + first + " as its first manager",
		Why:     "no host is in a swarm (asked " + strings.Join(asked, ", ") + ")",
		After:   []ID{hostID(first, "docker"), hostID(first, "daemon")},
		Action: InitSwarm{
			Advertise: b.advertise(first), Pools: b.pools(), SubnetSize: s.SubnetSize,
			DataPathPort: s.DataPathPort, Labels: b.labels(),
		},
	}
}

func (b *builder) joinStep(h inventory.Host, manager bool, through []string) Step {
	role := "worker"
	if manager {
		role = "manager"
	}
	return Step{
		ID: hostID(h.Name, "swarm"), Host: h.Name, Kind: Create,
		Summary: "join the swarm as " + role, Why: "not a member, want " + role,
		After:  []ID{swarmInit, hostID(h.Name, "docker"), hostID(h.Name, "daemon")},
		Action: JoinSwarm{Advertise: b.advertise(h.Name), Manager: manager, Through: through},
	}
}

// advertise is the private address under which the other hosts reach this
// one: as the inventory says, or the SSH address where the host really has
// it, or the source address of its default route.
func (b *builder) advertise(host string) netip.Addr {
	i := slices.IndexFunc(b.inv.Hosts, func(h inventory.Host) bool { return h.Name == host })
	return b.addressOf(b.inv.Hosts[i])
}

func (b *builder) addressOf(h inventory.Host) netip.Addr {
	facts := b.got.Hosts[h.Name].Facts.Value
	if a, err := netip.ParseAddr(h.Private); err == nil {
		return a
	}
	if a, err := netip.ParseAddr(h.Address); err == nil && has(facts.Addresses, a) {
		return a
	}
	return facts.Default
}

func has(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Addr() == a })
}

// candidates are ranges that overlays without a subnet may be cut from. Docker's
// own default, 10.0.0.0/8, covers the resolver of most VPCs (moby#27399).
var candidates = []string{"10.201.0.0/16", "172.29.0.0/16", "192.168.192.0/18", "10.77.0.0/16", "198.18.0.0/15"}

// pools returns the swarm's address pools: the inventory's, or the first range
// that collides with no host, no resolver and no network of the inventory.
func (b *builder) pools() []netip.Prefix {
	var pools []netip.Prefix
	for _, p := range b.inv.Swarm.AddressPools {
		if prefix, err := netip.ParsePrefix(p); err == nil {
			pools = append(pools, prefix)
		}
	}
	if len(pools) > 0 {
		return pools
	}
	taken := b.taken()
	for _, c := range candidates {
		prefix := netip.MustParsePrefix(c)
		if !slices.ContainsFunc(taken, prefix.Overlaps) {
			return []netip.Prefix{prefix}
		}
	}
	b.refuse("", "no range for overlay networks is free of the hosts' own networks", `choose one: swarm { address_pools = ["…"] }`)
	return nil
}

// taken holds the ranges in use around the hosts. A VPC is at most a /16, and
// a host knows only its own subnet, so the /16 around each address is spared.
func (b *builder) taken() []netip.Prefix {
	var taken []netip.Prefix
	for _, h := range b.inv.Hosts {
		facts := b.got.Hosts[h.Name].Facts.Value
		for _, p := range facts.Addresses {
			taken = append(taken, around(p.Addr()))
		}
		for _, a := range facts.Resolvers {
			taken = append(taken, around(a))
		}
	}
	for _, n := range b.inv.Networks {
		if p, err := netip.ParsePrefix(n.Subnet); err == nil {
			taken = append(taken, p)
		}
	}
	return taken
}

func around(a netip.Addr) netip.Prefix {
	bits := 16
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits) // both lengths are valid for their family
	return p
}

// node plans a member's labels, role and availability.
func (b *builder) node(h inventory.Host) {
	step := Step{
		ID: hostID(h.Name, "node"), Host: h.Name, Kind: Update, Summary: "label the swarm node",
		After: append([]ID{swarmInit, hostID(h.Name, "swarm")}, b.forgotten()...),
	}
	if len(b.lost) > 0 { // the label starts a lost member anew: its image should be there
		step.After = append(step.After, b.imagesOf(h.Name)...)
	}
	step.After = append(step.After, b.begins(h.Name)...)
	step.After = append(step.After, b.turnOf(h.Name)...)
	step.After = append(step.After, b.retiring(h.Name)...)
	action := UpdateNode{Set: map[string]string{}}
	node := b.nodeOf(h.Name)
	want := b.nodeLabels(h)
	for _, k := range sortedKeys(want) {
		if v, ok := node.Spec.Labels[k]; !ok || v != want[k] {
			action.Set[k] = want[k]
			step.Changes = append(step.Changes, Change{Path: "labels." + k, Before: orNil(v, ok), After: want[k]})
		}
	}
	for _, k := range sortedKeys(node.Spec.Labels) {
		if _, ok := want[k]; !ok && strings.HasPrefix(k, "rmqprov.") {
			action.Remove = append(action.Remove, k)
			step.Changes = append(step.Changes, Change{Path: "labels." + k, Before: node.Spec.Labels[k]})
		}
	}
	b.nodeRole(h.Name, node, &step, &action)
	if len(step.Changes) == 0 {
		return
	}
	step.Why = nodeWhy(step.Changes)
	step.Action = action
	b.add(step)
}

func (b *builder) nodeRole(host string, node swarm.Node, step *Step, action *UpdateNode) {
	if node.ID == "" {
		return
	}
	if a := node.Spec.Availability; a != swarm.NodeAvailabilityActive {
		step.Changes = append(step.Changes, Change{Path: "availability", Before: a, After: swarm.NodeAvailabilityActive})
	}
	role := swarm.NodeRoleWorker
	if slices.Contains(b.inv.Managers(), host) {
		role = swarm.NodeRoleManager
	}
	if node.Spec.Role != role {
		action.Role = role
		if role == swarm.NodeRoleWorker {
			b.hold(step.ID, b.managersWithout(host, 1))
			if step.Guard = b.guardLeaving(host); step.Guard != nil {
				step.Guard.Tasks = nil // its members go on
			}
		}
		step.Changes = append(step.Changes, Change{Path: "role", Before: node.Spec.Role, After: role})
	}
}

func nodeWhy(changes []Change) string {
	var why []string
	for _, c := range changes {
		switch {
		case c.Before == nil:
			why = append(why, c.Path+" is missing")
		case c.After == nil:
			why = append(why, c.Path+" does not belong here")
		default:
			why = append(why, fmt.Sprintf("%s is %v, want %v", c.Path, c.Before, c.After))
		}
	}
	return strings.Join(why, "; ")
}

func orNil(v string, ok bool) any {
	if !ok {
		return nil
	}
	return v
}

func (b *builder) nodeOf(host string) swarm.Node {
	if i, ok := b.nodes[b.nodeID(host)]; ok {
		return b.got.Swarm.Value.Nodes[i]
	}
	return swarm.Node{}
}

func (b *builder) nodeLabels(h inventory.Host) map[string]string {
	want := map[string]string{OwnerLabel: b.inv.Cluster.Name, HostLabel: h.Name}
	for k, v := range map[string]string{ZoneLabel: h.Zone, TypeLabel: h.Type} {
		if v != "" {
			want[k] = v
		}
	}
	for k, v := range h.Labels {
		want[k] = v
	}
	for slot, holder := range b.slots {
		if holder == h.Name {
			want[slotLabel(slot)] = "true"
		}
	}
	return want
}
