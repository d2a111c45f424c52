package preflight

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// Report is what one host's proof came to.
type Report struct {
	Problems []Problem // reasons not to let the host into the swarm
	Notes    []string  // what could not be tried, or is worth a look
}

// Problem is one reason, with the way out.
type Problem struct {
	Reason string
	Fix    string
}

// Err is nil where there is no problem.
func (r Report) Err() error {
	if len(r.Problems) == 0 {
		return nil
	}
	return &Error{r.Problems}
}

// Error is a proof that did not hold. Nothing was changed, and trying again
// helps only once the cause is mended.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("not ready to join; the swarm was not touched:")
	for _, p := range e.Problems {
		b.WriteString("\n  - " + p.Reason + "\n    → " + p.Fix)
	}
	return b.String()
}

// seen is all that was observed of one host's proof.
type seen struct {
	host  string
	check plan.Preflight
	heard heard
	in    map[string]knocked // by the host that knocked at this one
	out   map[string]knocked // by the host that this one knocked at
}

// judge compares what was observed with what must hold.
func judge(s seen) Report {
	j := judgement{seen: s}
	j.taken()
	for _, port := range portsOf(s.check.In) {
		switch {
		case port.Protocol == "tcp":
			j.tcp(port, s.check.In, s.in, func(w plan.Way) string { return w.From })
		case s.heard.listened[port.String()]:
			j.udp(port)
		default: // nobody but its owner sees what arrives
			j.untried = append(j.untried, port.String())
		}
	}
	for _, port := range portsOf(s.check.Out) {
		if port.Protocol == "tcp" {
			j.tcp(port, s.check.Out, s.out, func(w plan.Way) string { return w.To })
		}
	}
	j.packets()
	j.vpc()
	j.sshd()
	if len(j.untried) > 0 {
		j.note("%s is in use on %s, so it was not tried towards there", strings.Join(j.untried, " and "), s.host)
	}
	return j.Report
}

type judgement struct {
	seen
	Report
	untried []string // ports
}

func (j *judgement) fail(fix, reason string, args ...any) {
	j.Problems = append(j.Problems, Problem{fmt.Sprintf(reason, args...), fix})
}

func (j *judgement) note(text string, args ...any) {
	j.Notes = append(j.Notes, fmt.Sprintf(text, args...))
}

// portsOf are the ports of ways, each once.
func portsOf(ways []plan.Way) []plan.Port {
	var ports []plan.Port
	for _, w := range ways {
		for _, p := range w.Ports {
			if !slices.Contains(ports, p) {
				ports = append(ports, p)
			}
		}
	}
	return ports
}

// engines are the programs that may have the swarm's and the stacks' ports.
var engines = []string{"dockerd", "docker-proxy", ""}

// taken tells of ports that another program than Docker has. A port without a
// program is the kernel's own: another overlay's.
func (j *judgement) taken() {
	for _, p := range portsOf(j.check.In) {
		who, taken := j.heard.taken[p.String()]
		if taken && !slices.Contains(engines, who) {
			j.fail(fmt.Sprintf("stop %s there, or give it another port", who),
				"port %s of %s (%s) is taken by %s", p, j.host, p.Use, who)
		}
	}
}

// tcp tells which connections did not come about. Far is the other end of a way.
func (j *judgement) tcp(port plan.Port, ways []plan.Way, answers map[string]knocked, far func(plan.Way) string) {
	shut := map[string][]plan.Way{}
	for _, w := range ways {
		answer := answers[far(w)].tcp[port.String()]
		if slices.Contains(w.Ports, port) && answer != "open" && j.listens(port, w) {
			shut[answer] = append(shut[answer], w)
		}
	}
	for _, answer := range slices.Sorted(maps.Keys(shut)) {
		how := "got no answer"
		if said, refused := strings.CutPrefix(answer, "refused"); refused {
			how = "were refused (" + strings.TrimSpace(said) + ")"
		}
		j.closed(port, shut[answer], "connections "+how)
	}
}

// listens says whether something is there to answer at the far end of a way: a
// refusal where nothing is there is no firewall's.
func (j *judgement) listens(port plan.Port, w plan.Way) bool {
	_, taken := j.heard.taken[port.String()]
	return w.To != j.host || taken || j.heard.listened[port.String()]
}

// udp tells from whom nothing arrived.
func (j *judgement) udp(port plan.Port) {
	var lost []plan.Way
	for _, w := range j.check.In {
		if len(j.heard.arrived[port.String()][w.From]) == 0 {
			lost = append(lost, w)
		}
	}
	if len(lost) > 0 {
		j.closed(port, lost, "datagrams did not arrive")
	}
}

// closed tells of a port that is shut on some ways of one direction, and of the
// rule that opens it.
func (j *judgement) closed(port plan.Port, ways []plan.Way, how string) {
	var sources []string
	for _, w := range ways {
		sources = append(sources, cidr(w.Source))
	}
	at := names(ways, func(w plan.Way) string { return w.To })
	j.fail(fmt.Sprintf("security-group rule of %s: inbound, protocol %s, port %d, source the hosts' own group (or %s); outside EC2 the host's firewall",
		strings.Join(at, " and "), port.Protocol, port.Number, strings.Join(once(sources), ", ")),
		"%s (%s) is closed from %s: %s", port, port.Use, between(ways), how)
}

// between names the two ends of ways.
func between(ways []plan.Way) string {
	from := names(ways, func(w plan.Way) string { return place(w.From, w.Source) })
	to := names(ways, func(w plan.Way) string { return place(w.To, w.Dest) })
	return strings.Join(from, " and ") + " to " + strings.Join(to, " and ")
}

func names(ways []plan.Way, of func(plan.Way) string) []string {
	var list []string
	for _, w := range ways {
		list = append(list, of(w))
	}
	return once(list)
}

func once(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

func place(host string, a netip.Addr) string { return fmt.Sprintf("%s (%s)", host, a) }

func cidr(a netip.Addr) string { return fmt.Sprintf("%s/%d", a, a.BitLen()) }

const carryFix = "let the path carry them, or give every network block in the inventory a smaller mtu: that of the path less 50"

// packets tells of paths that do not carry packets of the size that the overlay
// networks send.
func (j *judgement) packets() {
	var lost []plan.Way
	narrow := map[int][]plan.Way{}
	for _, w := range j.check.In {
		kinds := j.kinds(w.From)
		switch link := j.in[w.From].link; {
		case link != 0 && link < j.check.Packet:
			narrow[link] = append(narrow[link], w)
		case kinds["small"] && !kinds["whole"]:
			lost = append(lost, w)
		}
	}
	for _, link := range slices.Sorted(maps.Keys(narrow)) {
		j.fail(carryFix, "packets of %d bytes do not pass whole from %s: the path carries %d", j.check.Packet, between(narrow[link]), link)
	}
	if len(lost) > 0 {
		j.fail(carryFix, "packets of %d bytes are lost on the way from %s, and small ones arrive", j.check.Packet, between(lost))
	}
}

// kinds are those of the datagrams that arrived from a host, on whatever port.
func (j *judgement) kinds(from string) map[string]bool {
	kinds := map[string]bool{}
	for _, arrived := range j.heard.arrived {
		maps.Copy(kinds, arrived[from])
	}
	return kinds
}

// vpc tells of ranges for overlay networks in which other machines may be.
func (j *judgement) vpc() {
	for _, r := range j.check.Ranges {
		if i := slices.IndexFunc(j.heard.vpc, r.Overlaps); i >= 0 {
			j.fail(r.Fix, "%s overlaps the VPC of %s, %s: what has an address there could not be reached from containers", r.What, j.host, j.heard.vpc[i])
		}
	}
}

// rmqprov keeps up to ten sessions of a connection at work. With fewer it
// waits, and with very few the ones that last leave none for the others.
const (
	fewSessions  = 4
	fullSessions = 10
)

// sshd compares what the host's sshd allows with what rmqprov asks of it.
func (j *judgement) sshd() {
	switch n := j.heard.sessions; {
	case n == 0:
	case n < fewSessions:
		j.fail(fmt.Sprintf("set MaxSessions %d in /etc/ssh/sshd_config there, and reload sshd", fullSessions),
			"the sshd of %s allows %d sessions a connection (MaxSessions), and %d are needed", j.host, n, fewSessions)
	case n < fullSessions:
		j.note("the sshd of %s allows %d sessions a connection (MaxSessions): with %d less would wait", j.host, n, fullSessions)
	}
	if n := j.heard.startups; n != 0 && n < j.check.Logins {
		j.note("the sshd of %s drops logins beyond %d at once (MaxStartups), and up to %d pass through it: those dropped are tried again", j.host, n, j.check.Logins)
	}
}
