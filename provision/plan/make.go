package plan

import (
	"maps"
	"slices"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/state"
)

// OwnerLabel marks everything that rmqprov made, with the cluster's name.
// What does not carry it is somebody else's and stays as it is.
const OwnerLabel = "rmqprov.cluster"

// HostLabel is the label of a swarm node with the host's name in the
// inventory, which need not be its hostname.
const HostLabel = "rmqprov.host"

// ZoneLabel and TypeLabel are labels of a swarm node with the host's
// availability zone and instance type, for placement; absent where unknown.
const (
	ZoneLabel = "rmqprov.zone"
	TypeLabel = "rmqprov.type"
)

// Make compares what is wanted with what was seen. Its error is Refused where
// something that it would have to know could not be seen, or where going on
// would do harm.
func Make(want Want, got state.Snapshot) (*Plan, error) {
	b := newBuilder(want, got)
	b.checkHosts()
	b.checkSwarm()
	b.checkGroup()
	if len(b.refused) == 0 {
		b.checkAway()
		b.findLost()
	}
	if len(b.refused) > 0 {
		return nil, b.refused
	}
	if b.asleep() {
		return b.wake(), nil
	}
	b.assignSlots()
	b.checkVersions()
	b.checkReady()
	for _, h := range b.reached() {
		b.daemon(h)
		b.docker(h)
		b.files(h)
	}
	b.swarm()
	b.networks()
	b.forget()
	b.ghosts()
	for _, h := range b.reached() {
		b.node(h)
		b.images(h)
	}
	b.stacks()
	b.leftovers()
	b.preflight()
	b.group()
	if len(b.refused) > 0 {
		return nil, b.refused
	}
	kept, left := b.leaveOut()
	return &Plan{Steps: sorted(kept), LeftOut: left, Notes: b.notes}, nil
}

// builder collects steps while the topics are gone through.
type builder struct {
	want    Want
	inv     *inventory.Inventory
	got     state.Snapshot
	steps   []Step
	refused Refused
	notes   []string
	slots   map[string]string // slot → name of the host that holds it or is to hold it
	nodes   map[string]int    // id of a swarm node → its place among the nodes seen

	away map[string]bool // hosts that cannot be reached and are planned around
	held map[ID]string   // steps that must not be done without those hosts, and why
	part map[ID]string   // step → the stack that it is a part of

	lost      []lost
	restarted []ID // the last host's restart of Docker with its gates: the next one waits for them
	restarts  []ID // all of those
}

func newBuilder(want Want, got state.Snapshot) *builder {
	b := &builder{want: want, inv: want.Inventory, got: got, slots: map[string]string{}, nodes: map[string]int{},
		away: map[string]bool{}, held: map[ID]string{}, part: map[ID]string{}}
	if s := got.Swarm.Value; s != nil {
		for i := range s.Nodes {
			b.nodes[s.Nodes[i].ID] = i
		}
	}
	return b
}

func (b *builder) add(s Step) { b.steps = append(b.steps, s) }

func (b *builder) refuse(host, reason, fix string) {
	b.refused = append(b.refused, Refusal{Host: host, Reason: reason, Fix: fix})
}

// labels are put on everything that is made.
func (b *builder) labels() map[string]string {
	return map[string]string{OwnerLabel: b.inv.Cluster.Name}
}

// engine returns the Engine of a host, nil where none runs.
func (b *builder) engine(host string) *state.Engine { return b.got.Hosts[host].Engine.Value }

// nodeID is the id of the swarm node that a host is, "" where it is none.
func (b *builder) nodeID(host string) string {
	if e := b.engine(host); e != nil {
		return e.NodeID
	}
	if b.away[host] {
		return b.nodeNamed(host).ID
	}
	return b.got.Hosts[host].Facts.Value.NodeID
}

// asleep says that there is a swarm which cannot be seen, because Docker is
// stopped on its managers. What it holds shows once they run.
func (b *builder) asleep() bool {
	return b.got.Swarm.Value == nil && slices.ContainsFunc(b.inv.Hosts, func(h inventory.Host) bool { return b.nodeID(h.Name) != "" })
}

func (b *builder) wake() *Plan {
	for _, h := range b.inv.Hosts {
		if b.nodeID(h.Name) != "" {
			b.docker(h)
		}
	}
	return &Plan{Steps: sorted(b.steps)}
}

func hostID(host string, parts ...string) ID { return joined("host", host, parts) }

func stackID(stack string, parts ...string) ID { return joined("stack", stack, parts) }

func joined(kind, name string, parts []string) ID {
	id := kind + "." + name
	for _, p := range parts {
		id += "." + p
	}
	return ID(id)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
