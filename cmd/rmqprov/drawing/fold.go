package drawing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// foldFrom is the number of hosts from which those with the same steps share a
// lane.
const foldFrom = 7

// folded is a plan in which hosts that have the same steps, each for itself, are
// one. names has what their lanes are called, by the host that stands for them.
func folded(p *plan.Plan) (out *plan.Plan, names map[string]string) {
	stands, members := standIns(p)
	if len(stands) < foldFrom {
		return p, nil
	}
	names = map[string]string{}
	for host, all := range members {
		if len(all) > 1 {
			names[host] = fmt.Sprintf("%s and %d more", host, len(all)-1)
		}
	}
	twin := map[plan.ID]plan.ID{} // of a step that is left out: the one that stands for it
	for _, s := range p.Steps {
		if host := stands[s.Host]; host != s.Host {
			twin[s.ID] = plan.ID(renamed(string(s.ID), s.Host, host))
		}
	}
	out = &plan.Plan{}
	for _, s := range p.Steps {
		if _, away := twin[s.ID]; away {
			continue
		}
		after := map[plan.ID]bool{}
		for _, id := range s.After {
			if other, away := twin[id]; away {
				id = other
			}
			after[id] = true
		}
		s.After = nil
		for _, before := range out.Steps {
			if after[before.ID] {
				s.After = append(s.After, before.ID)
			}
		}
		out.Steps = append(out.Steps, s)
	}
	return out, names
}

// standIns says, for each host, which one stands for it, and for each that
// stands for others, which these are.
func standIns(p *plan.Plan) (stands map[string]string, members map[string][]string) {
	looks, hosts := map[string]*strings.Builder{}, []string{}
	for _, s := range p.Steps {
		if s.Host == "" {
			continue
		}
		if looks[s.Host] == nil {
			looks[s.Host] = &strings.Builder{}
			hosts = append(hosts, s.Host)
		}
		looks[s.Host].WriteString(lookOf(s))
	}
	stands, members = map[string]string{}, map[string][]string{}
	first := map[string]string{}
	for _, h := range hosts {
		look := looks[h].String()
		if _, seen := first[look]; !seen {
			first[look] = h
		}
		stands[h] = first[look]
		members[stands[h]] = append(members[stands[h]], h)
	}
	return stands, members
}

// lookOf is all that a picture shows of a step, without its host's name.
func lookOf(s plan.Step) string {
	text := fmt.Sprintf("%s\n%s\n%s\n%s\n", s.ID, s.Kind, s.Summary, s.Disrupts)
	after := slices.Clone(s.After)
	for i, id := range after {
		after[i] = plan.ID(renamed(string(id), s.Host, "\x00"))
	}
	slices.Sort(after)
	return renamed(text, s.Host, "\x00") + fmt.Sprintln(after)
}

// renamed puts another name in the place of a host's, where it stands by itself:
// node-1 is no part of node-10.
func renamed(text, host, other string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, host)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := i + len(host)
		if (i == 0 || !nameByte(text[i-1])) && (end == len(text) || !nameByte(text[end])) {
			b.WriteString(text[:i] + other)
		} else {
			b.WriteString(text[:end])
		}
		text = text[end:]
	}
}

// nameByte says that a byte can be part of a host's name, which the dots of a
// step's id end.
func nameByte(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
