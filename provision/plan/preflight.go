package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// Preflight proves that a host can take part in the swarm, before the swarm is
// touched: the ports that are needed pass, and packets of the size that is
// needed.
type Preflight struct {
	In     []Way   // from other hosts to this one
	Out    []Way   // from this host to members of the swarm, whose ports are in use: TCP only
	Packet int     // bytes of an IP packet that must arrive whole
	Logins int     // SSH connections that rmqprov begins at once with the host
	Ranges []Range // for overlay networks: none of them may overlap the host's VPC
}

func (Preflight) action() {}

// Way is what one host must reach on another.
type Way struct {
	From, To     string // names of hosts
	Source, Dest netip.Addr
	Ports        []Port
}

// Port is a port of a host that other hosts must reach.
type Port struct {
	Number   int
	Protocol string // "tcp" or "udp"
	Use      string // what for, in a few words
}

// String is the port as "7946/udp".
func (p Port) String() string { return fmt.Sprintf("%d/%s", p.Number, p.Protocol) }

func preflightID(host string) ID { return hostID(host, "preflight") }

// preflight plans the proofs of the hosts that are to join, and lets whatever
// could harm such a host or the swarm wait for them. The installation of
// packages does not: it runs beside them.
func (b *builder) preflight() {
	mesh, first := b.mesh(b.ranges(false)), b.got.Swarm.Value == nil
	var all []ID
	for i := range b.inv.Hosts {
		if name := b.inv.Hosts[i].Name; !b.member(name) && !b.away[name] {
			b.add(mesh.step(i, "it is to join the swarm"))
			all = append(all, preflightID(name))
		}
	}
	for i := range b.steps {
		s := &b.steps[i]
		_, starts := s.Action.(StartDocker) // the proof holds the ports that a member's Engine takes
		switch {
		case s.ID == swarmInit && first:
			s.After = append(s.After, all...)
		case s.ID == hostID(s.Host, "swarm"), s.Host != "" && s.Disrupts != "", starts:
			s.After = append(s.After, preflightID(s.Host))
		}
	}
}

// Checkup returns the proofs of all hosts that were seen, whether members or
// not, and what their facts say against them. It plans no change.
func Checkup(want Want, got state.Snapshot) ([]Step, Refused) {
	b := newBuilder(want, got)
	b.checkSwarm()
	b.checkGroup()
	b.assignSlots()
	ranges := b.ranges(true)
	mesh := b.mesh(ranges)
	var steps []Step
	for i, h := range b.inv.Hosts {
		if b.seen(h.Name) {
			b.checkEngine(h, got.Hosts[h.Name])
			b.checkRoom(h)
			steps = append(steps, mesh.step(i, "it was asked for"))
		}
	}
	b.checkClocks(b.seen)
	b.checkRanges(ranges)
	return steps, b.refused
}

// seen says whether a host could be observed.
func (b *builder) seen(host string) bool {
	h, ok := b.got.Hosts[host]
	return ok && h.Facts.Err == nil
}

// mesh knows of every host what its neighbours need to know. It is made once:
// looking each thing up for each pair of a thousand hosts takes seconds.
type mesh struct {
	*builder
	addresses []netip.Addr // of the hosts, in the inventory's order
	managers  map[string]bool
	ranges    []Range
	logins    map[string]int // by name or address of a bastion: connections that pass through it
}

func (b *builder) mesh(ranges []Range) *mesh {
	m := &mesh{builder: b, ranges: ranges, managers: map[string]bool{}, logins: map[string]int{}}
	for _, name := range b.inv.Managers() {
		m.managers[name] = true
	}
	for _, h := range b.inv.Hosts {
		m.addresses = append(m.addresses, b.addressOf(h))
		if h.Jump == "" {
			h.Jump = b.inv.SSH.Jump
		}
		for hop := range strings.SplitSeq(h.Jump, ",") {
			m.logins[bastion(hop)]++
		}
	}
	return m
}

// bastion is the host of [user@]host[:port].
func bastion(hop string) string {
	if _, bare, found := strings.Cut(hop, "@"); found {
		hop = bare
	}
	host, _, _ := strings.Cut(hop, ":")
	return host
}

func (m *mesh) step(at int, why string) Step {
	h := m.inv.Hosts[at]
	ports := m.portsOf(h.Name)
	action := Preflight{Packet: m.packet(), Ranges: m.ranges, Logins: 1 + m.logins[h.Name] + m.logins[h.Address]}
	for _, i := range m.neighbours(at, -1) {
		action.In = append(action.In, m.way(i, at, ports))
	}
	for _, i := range m.neighbours(at, +1) {
		if name := m.inv.Hosts[i].Name; m.member(name) {
			action.Out = append(action.Out, m.way(at, i, m.portsOf(name)))
		}
	}
	return Step{
		ID: preflightID(h.Name), Host: h.Name, Kind: Run, Why: why, Action: action,
		Summary: fmt.Sprintf("check that the others reach it on %s, with packets of %d bytes", portList(ports), action.Packet),
	}
}

func (m *mesh) way(from, to int, ports []Port) Way {
	return Way{
		From: m.inv.Hosts[from].Name, To: m.inv.Hosts[to].Name,
		Source: m.addresses[from], Dest: m.addresses[to], Ports: ports,
	}
}

// meshed is up to how many hosts each is tried with each.
const meshed = 12

// neighbours chooses the hosts that one is tried with. Of many hosts these are
// the managers, with which every host speaks, and those at distances of 1, 2,
// 4, … in the order of the inventory, before it or after it: the work grows with
// n·log n, and a host or a group of hosts that is closed off is found all the
// same.
func (m *mesh) neighbours(at, towards int) []int {
	n := len(m.inv.Hosts)
	var chosen []int
	if n <= meshed {
		for i := range n {
			chosen = append(chosen, i)
		}
	}
	for d := 1; n > meshed && d < n; d *= 2 {
		chosen = append(chosen, ((at+towards*d)%n+n)%n)
	}
	for i := range m.inv.Hosts {
		if n > meshed && m.managers[m.inv.Hosts[i].Name] {
			chosen = append(chosen, i)
		}
	}
	slices.Sort(chosen)
	return slices.DeleteFunc(slices.Compact(chosen), func(i int) bool { return i == at || !m.seen(m.inv.Hosts[i].Name) })
}

// portsOf are the ports of a host that the others need.
func (m *mesh) portsOf(host string) []Port {
	var ports []Port
	if m.managers[host] {
		ports = append(ports, Port{2377, "tcp", "swarm managers' control"})
	}
	ports = append(ports, Port{7946, "tcp", "swarm nodes' gossip"}, Port{7946, "udp", "swarm nodes' gossip"},
		Port{m.dataPath(), "udp", "overlay networks (VXLAN)"})
	for _, s := range m.want.Stacks {
		for _, p := range s.Ports {
			port := Port{p.Number, p.Protocol, strings.TrimRight(s.Name+" "+p.Name+": "+p.Note, ": ")}
			known := slices.ContainsFunc(ports, func(q Port) bool { return q.String() == port.String() })
			if p.From == "hosts" && !known && m.runsStack(s, host) {
				ports = append(ports, port)
			}
		}
	}
	return ports
}

func portList(ports []Port) string {
	var list []string
	for _, p := range ports {
		list = append(list, p.String())
	}
	return strings.Join(list, ", ")
}

func (m *mesh) dataPath() int {
	if m.inv.Swarm.DataPathPort != 0 {
		return m.inv.Swarm.DataPathPort
	}
	return 4789
}

// runsStack says whether a host is to run a container of a stack.
func (b *builder) runsStack(s playbooks.Stack, host string) bool {
	return slices.ContainsFunc(s.Services, func(svc playbooks.Service) bool { return b.mayRunOn(svc, host) })
}

// Docker gives an overlay network an MTU of 1450 where none is asked for, and
// VXLAN adds 50 bytes to each packet.
const (
	overlayMTU = 1450
	vxlanBytes = 50
)

// packet is the size of the largest packet that the overlay networks send from
// host to host.
func (m *mesh) packet() int {
	largest := 0
	for _, n := range m.inv.Networks {
		if n.MTU == 0 {
			n.MTU = overlayMTU
		}
		largest = max(largest, n.MTU)
	}
	if largest == 0 {
		largest = overlayMTU
	}
	return largest + vxlanBytes
}
