package inventory

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// labelPrefix starts the node labels that rmqprov sets itself.
const labelPrefix = "rmqprov."

var instanceID = regexp.MustCompile(`^i-[0-9a-f]{8,17}$`)

func (ld *loader) declareHosts() {
	for _, b := range ld.blocks["host"] {
		i := len(ld.inv.Hosts)
		declared := ld.declare("host", b.name, b.label(), func() cty.Value {
			ld.inv.Hosts[i] = b.host()
			return ld.inv.Hosts[i].value()
		})
		if declared {
			ld.inv.Hosts = append(ld.inv.Hosts, Host{Name: b.name})
		} else {
			ld.unused = append(ld.unused, func() { b.host() })
		}
	}
}

func (b *block) host() Host {
	b.checkName()
	h := Host{
		Name:       b.name,
		Address:    b.hostAddress(),
		Private:    b.privateAddress(),
		Role:       b.choice("role", "", "manager", "worker"),
		Zone:       b.text("zone"),
		InstanceID: b.pattern("instance_id", instanceID, `the id of an EC2 instance, such as "i-0123456789abcdef0"`),
		Type:       b.text("type"),
		Labels:     b.textMap("labels", `{ rack = "a" }`),
		User:       b.user(),
		Port:       b.integer("port", 0, 1, 65535),
		Identity:   b.identity(),
		Jump:       b.jump(),
		Range:      b.header(),
	}
	for _, key := range sortedKeys(h.Labels) {
		if strings.HasPrefix(key, labelPrefix) || key == "" {
			b.ld.errorAt(b.place("labels"), fmt.Sprintf("Invalid label %q", key), "Labels that start with %q are rmqprov's own, and none is empty. Choose another name.", labelPrefix)
		}
	}
	return h
}

func (b *block) hostAddress() string {
	s := b.requiredText("address", `"10.0.0.11"`)
	if problem := addressProblem(s); s != "" && problem != "" {
		b.ld.errorAt(b.place("address"), fmt.Sprintf("Invalid address %q", s), "%s", problem)
		return ""
	}
	return s
}

func (b *block) privateAddress() string {
	s := b.text("private")
	if s == "" {
		return ""
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		b.ld.errorAt(b.place("private"), fmt.Sprintf("Invalid private address %q", s), `It is the IP address that the other hosts reach this one by, such as "10.0.0.11". Without it, the address is found on the host.`)
		return ""
	}
	if !addr.IsGlobalUnicast() {
		b.ld.errorAt(b.place("private"), fmt.Sprintf("Invalid private address %q", s), `Other hosts cannot reach a host by it. Write the address of its network card, such as "10.0.0.11", or leave private out: the address is found on the host.`)
		return ""
	}
	return s
}

// value is what host["NAME"] means in expressions.
func (h Host) value() cty.Value {
	labels := cty.MapValEmpty(cty.String)
	if len(h.Labels) > 0 {
		values := map[string]cty.Value{}
		for key, value := range h.Labels {
			values[key] = cty.StringVal(value)
		}
		labels = cty.MapVal(values)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"name":        cty.StringVal(h.Name),
		"address":     cty.StringVal(h.Address),
		"private":     cty.StringVal(h.Private),
		"role":        cty.StringVal(h.Role),
		"zone":        cty.StringVal(h.Zone),
		"instance_id": cty.StringVal(h.InstanceID),
		"type":        cty.StringVal(h.Type),
		"labels":      labels,
		"user":        cty.StringVal(h.User),
		"port":        cty.NumberIntVal(int64(h.Port)),
	})
}

// checkHosts says what is wrong between hosts.
func (ld *loader) checkHosts() {
	if len(ld.inv.Hosts) == 0 && len(ld.blocks["host"]) == 0 && len(ld.blocks["discover"]) == 0 {
		ld.errorAt(at(ld.start), "No hosts", `Write host "node-1" { address = "10.0.0.11" } for each machine, or discover "ec2" { … } to find them by tag.`)
	}
	type owner struct {
		host string
		at   place
	}
	taken := map[string]owner{}
	for _, b := range ld.blocks["host"] {
		h := ld.host(b)
		if h == nil {
			continue
		}
		for _, arg := range []string{"address", "private"} {
			key := h.endpoint(arg, ld.inv.SSH.Port)
			if key == "" {
				continue
			}
			if other, ok := taken[key]; ok && other.host != h.Name {
				ld.errorAt(b.place(arg), fmt.Sprintf("Duplicate address of host %q", h.Name), "Host %q has it already at %s. Give each host its own, or remove one of the two.", other.host, where(other.at.subject))
				continue
			}
			taken[key] = owner{h.Name, b.place(arg)}
		}
	}
}

// host returns the decoded host of a block, or nil for a duplicate.
func (ld *loader) host(b *block) *Host {
	for i := range ld.inv.Hosts {
		if ld.inv.Hosts[i].Range == b.header() {
			return &ld.inv.Hosts[i]
		}
	}
	return nil
}

// endpoint returns what must be unique about a host's address: with the port
// where SSH reaches it, because hosts behind one forwarder share an address. A
// private address is compared with public ones that have the default port.
func (h *Host) endpoint(arg string, sshPort int) string {
	s, port := h.Private, 22
	if arg == "address" {
		s, port = h.Address, h.Port
		if port == 0 {
			port = sshPort
		}
		if port == 0 {
			port = 22
		}
	}
	if s == "" {
		return ""
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		s = addr.Unmap().String()
	}
	return fmt.Sprintf("%s %d", strings.ToLower(s), port)
}

// checkManagers says what a choice of managers means for the swarm's majority.
func (ld *loader) checkManagers() {
	managers, workers := 0, 0
	for _, h := range ld.inv.Hosts {
		switch h.Role {
		case "manager":
			managers++
		case "worker":
			workers++
		}
	}
	if workers > 0 && workers == len(ld.inv.Hosts) && len(ld.blocks["discover"]) == 0 {
		ld.errorAt(at(ld.inv.Hosts[0].Range), "No manager", "All hosts are workers, and a swarm needs a manager. Write role = \"manager\" for one host or three, or leave role out.")
	}
	p := at(ld.lastManager())
	switch n := managers; {
	case n == 0:
	case n > 7:
		ld.warnAt(p, fmt.Sprintf("%d managers", n), "Every change is agreed on by all managers, and beyond seven that costs more than it protects. Make some of them workers.")
	case n == 2:
		ld.warnAt(p, "Even number of managers: 2", "A swarm works while more than half of its managers do, so that with two the loss of either stops it. Make it 1 or 3.")
	case n%2 == 0:
		ld.warnAt(p, fmt.Sprintf("Even number of managers: %d", n),
			"A swarm works while more than half of its managers do: %d can lose %d of them, no more than %d can. Make it %d or %d.", n, (n-1)/2, n-1, n-1, n+1)
	}
}

// lastManager is where the last host with the role of a manager stands.
func (ld *loader) lastManager() (r hcl.Range) {
	for _, h := range ld.inv.Hosts {
		if h.Role == "manager" {
			r = h.Range
		}
	}
	return r
}
