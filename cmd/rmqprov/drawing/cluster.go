package drawing

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Cluster is what a picture of a cluster shows.
type Cluster struct {
	Name   string
	Zones  []Zone
	Stacks []Stack
	Ports  []Port
	Reach  map[string]string // of "clients" and "operators": who they are, as CIDRs; "": whoever the network lets through
}

// Zone is an availability zone; "" for hosts of which none is known.
type Zone struct {
	Name  string
	Hosts []Host
}

// Host is one machine.
type Host struct {
	Name    string
	Address string
	Role    string // in the swarm, as "manager"
	Holds   []Holding
}

// Holding is what runs on a host: a member of a slot set, or a service that
// runs on every host.
type Holding struct {
	Name   string
	Stack  string
	Absent bool // wanted there, and not there yet
}

// Stack is one stack with the stacks that it needs.
type Stack struct {
	Name      string
	DependsOn []string
	Images    []string
}

// Port is an open port of every host.
type Port struct {
	Number   int
	Protocol string // "tcp" or "udp"
	From     string // "clients", "operators" or "hosts"
	Stack    string // "" for the swarm's own
	Note     string
}

const (
	sheetWide   = 1200
	leastHost   = 230 // width
	stackWide   = 277
	rowHigh     = 20 // of a port
	zonesAcross = 3
	zoneGap     = 14
)

// audiences are those who may reach ports, from the outside inwards.
var audiences = []struct{ from, head, otherwise string }{
	{"clients", "Clients", "whoever the network lets through"},
	{"operators", "Operators", "whoever the network lets through"},
	{"hosts", "Hosts of the cluster", "each other"},
}

// Draw draws the cluster as SVG: who may reach which ports, hosts by zone with
// what runs on them, and the stacks with what each needs.
func (c Cluster) Draw(w io.Writer) error {
	var s canvas
	title := "cluster " + c.Name
	s.text(margin, margin+14, "title", cut(title, 70))
	s.text(sheetWide-margin-190, margin+12, "dim", "dashed: wanted and not running")
	y := c.drawAudiences(&s, margin+38)
	y = c.drawZones(&s, y+44) + zoneGap
	y = c.drawStacks(&s, y+18)
	return s.write(w, title, sheetWide, y+margin)
}

func (c Cluster) colour(stack string) int {
	return max(0, slices.IndexFunc(c.Stacks, func(s Stack) bool { return s.Name == stack })) % 8
}

// drawAudiences draws a box for each audience with the ports that it may
// reach, and returns where they end.
func (c Cluster) drawAudiences(s *canvas, y int) int {
	wide := (sheetWide - 2*margin - 2*20) / 3
	most := 1
	for _, a := range audiences {
		most = max(most, len(c.portsFrom(a.from)))
	}
	high := 50 + most*rowHigh
	for i, a := range audiences {
		x := margin + i*(wide+20)
		who := c.Reach[a.from]
		if who == "" {
			who = a.otherwise
		}
		s.addf(`<rect class="card" x="%d" y="%d" width="%d" height="%d" rx="8"/>`, x, y, wide, high)
		s.text(x+14, y+22, "head", a.head)
		s.text(x+14, y+38, "dim", cut(who, 52))
		for n, p := range c.portsFrom(a.from) {
			line := y + 56 + n*rowHigh
			s.addf(`<rect class="f%d" x="%d" y="%d" width="8" height="8" rx="2"/>`, c.portColour(p), x+14, line-8)
			s.text(x+28, line, "mono", fmt.Sprintf("%d/%s", p.Number, p.Protocol))
			s.text(x+112, line, "dim", cut(strings.TrimPrefix(p.Stack+": "+p.Note, ": "), 37))
		}
		middle := x + wide/2
		s.addf(`<path class="edge c7" d="M%d %dV%d"/><path class="tip f7" d="M%d %dl-5 -8h10z"/>`, middle, y+high, y+high+32, middle, y+high+40)
	}
	return y + high
}

func (c Cluster) portColour(p Port) int {
	if p.Stack == "" {
		return 7
	}
	return c.colour(p.Stack)
}

func (c Cluster) portsFrom(from string) []Port {
	return slices.DeleteFunc(slices.Clone(c.Ports), func(p Port) bool { return p.From != from })
}

// drawZones draws the hosts, up to three zones beside each other.
func (c Cluster) drawZones(s *canvas, y int) int {
	across := max(1, min(len(c.Zones), zonesAcross))
	wide := (sheetWide - 2*margin - (across-1)*zoneGap) / across
	for line := range slices.Chunk(c.Zones, across) {
		high := 0
		for _, z := range line {
			high = max(high, zoneHigh(z, wide))
		}
		for i, z := range line {
			c.drawZone(s, z, box{margin + i*(wide+zoneGap), y, wide, high})
		}
		y += high + zoneGap
	}
	return y - zoneGap
}

// box is a rectangle: its upper left corner and its size.
type box struct{ x, y, wide, high int }

// hostRows are the rows of a zone's hosts, and the width of each host in it.
func hostRows(z Zone, wide int) (rows [][]Host, hostWide int) {
	beside := max(1, (wide-12)/(leastHost+12))
	return slices.Collect(slices.Chunk(z.Hosts, beside)), (wide-12)/beside - 12
}

func zoneHigh(z Zone, wide int) int {
	high := 42
	rows, _ := hostRows(z, wide)
	for _, row := range rows {
		high += hostHigh(row) + 12
	}
	return high
}

func (c Cluster) drawZone(s *canvas, z Zone, b box) {
	s.addf(`<rect class="zone" x="%d" y="%d" width="%d" height="%d" rx="10"/>`, b.x, b.y, b.wide, b.high)
	s.text(b.x+14, b.y+26, "head", cut(zoneTitle(z), 34))
	top := b.y + 40
	rows, wide := hostRows(z, b.wide)
	for _, row := range rows {
		for i, h := range row {
			c.drawHost(s, h, box{b.x + 12 + i*(wide+12), top, wide, hostHigh(row)})
		}
		top += hostHigh(row) + 12
	}
}

func zoneTitle(z Zone) string {
	hosts := fmt.Sprintf("%d hosts", len(z.Hosts))
	if len(z.Hosts) == 1 {
		hosts = "1 host"
	}
	if z.Name == "" {
		return strings.ToUpper(hosts[:1]) + hosts[1:]
	}
	return "Zone " + z.Name + " (" + hosts + ")"
}

func hostHigh(row []Host) int {
	most := 0
	for _, h := range row {
		most = max(most, len(h.Holds))
	}
	return 54 + most*24
}

func (c Cluster) drawHost(s *canvas, h Host, b box) {
	x, y := b.x, b.y
	s.addf(`<rect class="card" x="%d" y="%d" width="%d" height="%d" rx="8"/>`, x, y, b.wide, b.high)
	s.text(x+14, y+21, "mono", cut(h.Name, 27))
	s.text(x+14, y+38, "dim", cut(strings.Trim(h.Address+" · "+h.Role, " ·"), 31))
	for i, held := range h.Holds {
		top, colour := y+48+i*24, c.colour(held.Stack)
		s.addf(`<rect class="edge c%d" x="%d" y="%d" width="%d" height="20" rx="10"%s/>`, colour, x+12, top, b.wide-24, dashes(held))
		s.addf(`<circle class="f%d" cx="%d" cy="%d" r="4"/>`, colour, x+25, top+10)
		s.text(x+36, top+14, "", cut(held.Name, 27))
	}
}

// dashes mark what is not there yet.
func dashes(h Holding) string {
	if h.Absent {
		return ` stroke-dasharray="4 3"`
	}
	return ""
}

// drawStacks draws the stacks in the order in which they come up, each after
// those that it needs.
func (c Cluster) drawStacks(s *canvas, y int) int {
	if len(c.Stacks) == 0 {
		return y
	}
	s.text(margin, y, "head", "Stacks, each with what it needs")
	beside := (sheetWide - 2*margin + 12) / (stackWide + 12)
	top := y + 14
	for row := range slices.Chunk(c.Stacks, beside) {
		high := 0
		for _, stack := range row {
			high = max(high, 46+16*len(stack.Images))
		}
		for i, stack := range row {
			c.drawStack(s, stack, margin+i*(stackWide+12), top, high)
		}
		top += high + 12
	}
	return top - 12
}

func (c Cluster) drawStack(s *canvas, stack Stack, x, y, high int) {
	s.addf(`<rect class="card" x="%d" y="%d" width="%d" height="%d" rx="8"/>`, x, y, stackWide, high)
	s.addf(`<rect class="f%d" x="%d" y="%d" width="10" height="10" rx="3"/>`, c.colour(stack.Name), x+14, y+12)
	s.text(x+32, y+22, "mono", cut(stack.Name, 27))
	needs := "needs no other"
	if len(stack.DependsOn) > 0 {
		needs = "needs " + strings.Join(stack.DependsOn, ", ")
	}
	s.text(x+14, y+38, "dim", cut(needs, 34))
	for i, image := range stack.Images {
		s.text(x+14, y+54+16*i, "dim", cut(image, 34))
	}
}
