package preflight

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// check is a host b that a and c knock at, and that knocks at c, a member.
func check() plan.Preflight {
	ports := []plan.Port{{Number: 7946, Protocol: "tcp", Use: "gossip"}, {Number: 7946, Protocol: "udp", Use: "gossip"}}
	a, b, c := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")
	return plan.Preflight{
		In: []plan.Way{
			{From: "a", To: "b", Source: a, Dest: b, Ports: ports},
			{From: "c", To: "b", Source: c, Dest: b, Ports: ports},
		},
		Out:    []plan.Way{{From: "b", To: "c", Source: b, Dest: c, Ports: ports}},
		Packet: 1500, Logins: 1, Ranges: []plan.Range{{Prefix: netip.MustParsePrefix("10.0.1.0/24"), What: "the subnet", Fix: "choose"}},
	}
}

const (
	allHeard = `listened 7946/tcp
listened 7946/udp
arrived 7946/udp a small
arrived 7946/udp a whole
arrived 7946/udp c small
arrived 7946/udp c whole
sshd maxsessions 10
sshd maxstartups 10:30:100
`
	knockedWell = "open 7946/tcp\nlink 9001\n"
)

func TestJudge(t *testing.T) {
	type answers struct{ heard, a, c, out string }
	without := func(lines ...string) string {
		text := allHeard
		for _, l := range lines {
			text = strings.Replace(text, l+"\n", "", 1)
		}
		return text
	}
	tests := map[string]struct {
		answers
		problems, notes []string
	}{
		"all well": {},
		"tcp from one host": {answers{c: "silent 7946/tcp\nlink 1500\n"},
			[]string{"7946/tcp (gossip) is closed from c (10.0.0.3) to b (10.0.0.2): connections got no answer → security-group rule of b: inbound, protocol tcp, port 7946, source the hosts' own group (or 10.0.0.3/32); outside EC2 the host's firewall"}, nil},
		"tcp rejected to all": {answers{a: "refused 7946/tcp No route to host\n", c: "refused 7946/tcp No route to host\n"},
			[]string{"7946/tcp (gossip) is closed from a (10.0.0.1) and c (10.0.0.3) to b (10.0.0.2): connections were refused (No route to host) → security-group rule of b: inbound, protocol tcp, port 7946, source the hosts' own group (or 10.0.0.1/32, 10.0.0.3/32); outside EC2 the host's firewall"}, nil},
		"tcp to a member": {answers{out: "silent 7946/tcp\n"},
			[]string{"7946/tcp (gossip) is closed from b (10.0.0.2) to c (10.0.0.3): connections got no answer → security-group rule of c: inbound, protocol tcp, port 7946, source the hosts' own group (or 10.0.0.2/32); outside EC2 the host's firewall"}, nil},
		"udp from one host": {answers{heard: without("arrived 7946/udp a small", "arrived 7946/udp a whole")},
			[]string{"7946/udp (gossip) is closed from a (10.0.0.1) to b (10.0.0.2): datagrams did not arrive → security-group rule of b: inbound, protocol udp, port 7946, source the hosts' own group (or 10.0.0.1/32); outside EC2 the host's firewall"}, nil},
		"a path that swallows large packets": {answers{heard: without("arrived 7946/udp c whole")},
			[]string{"packets of 1500 bytes are lost on the way from c (10.0.0.3) to b (10.0.0.2), and small ones arrive → " + carryFix}, nil},
		"a path that is known to be narrow": {answers{a: "open 7946/tcp\nlink 9001\nlink 1400\n"},
			[]string{"packets of 1500 bytes do not pass whole from a (10.0.0.1) to b (10.0.0.2): the path carries 1400 → " + carryFix}, nil},
		"a member": {answers{heard: "taken 7946/tcp dockerd\ntaken 7946/udp dockerd\n"}, nil,
			[]string{"7946/udp is in use on b, so it was not tried towards there"}},
		"a member behind a firewall": {answers{heard: "taken 7946/tcp dockerd\ntaken 7946/udp\n", a: "refused 7946/tcp Connection refused\n"},
			[]string{"7946/tcp (gossip) is closed from a (10.0.0.1) to b (10.0.0.2): connections were refused (Connection refused) → security-group rule of b: inbound, protocol tcp, port 7946, source the hosts' own group (or 10.0.0.1/32); outside EC2 the host's firewall"},
			[]string{"7946/udp is in use on b, so it was not tried towards there"}},
		"another program": {answers{heard: strings.Replace(allHeard, "listened 7946/tcp", "taken 7946/tcp nginx", 1)},
			[]string{"port 7946/tcp of b (gossip) is taken by nginx → stop nginx there, or give it another port"}, nil},
		"a vpc where an overlay is to be": {answers{heard: allHeard + "vpc 172.31.0.0/16\nvpc 10.0.0.0/16\n"},
			[]string{"the subnet overlaps the VPC of b, 10.0.0.0/16: what has an address there could not be reached from containers → choose"}, nil},
		"few sessions": {answers{heard: strings.Replace(allHeard, "maxsessions 10", "maxsessions 2", 1)},
			[]string{"the sshd of b allows 2 sessions a connection (MaxSessions), and 4 are needed → set MaxSessions 10 in /etc/ssh/sshd_config there, and reload sshd"}, nil},
		"rather few sessions": {answers{heard: strings.Replace(allHeard, "maxsessions 10", "maxsessions 6", 1)}, nil,
			[]string{"the sshd of b allows 6 sessions a connection (MaxSessions): with 10 less would wait"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := seen{host: "b", check: check(), in: map[string]knocked{}, out: map[string]knocked{}}
			s.heard = mustHear(t, or(tt.heard, allHeard))
			s.in["a"], s.in["c"] = mustKnock(t, or(tt.a, knockedWell)), mustKnock(t, or(tt.c, knockedWell))
			s.out["c"] = mustKnock(t, or(tt.out, knockedWell))
			r := judge(s)
			var problems []string
			for _, p := range r.Problems {
				problems = append(problems, p.Reason+" → "+p.Fix)
			}
			if diff := cmp.Diff(tt.problems, problems); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.notes, r.Notes); diff != "" {
				t.Error(diff)
			}
			if (r.Err() == nil) != (len(tt.problems) == 0) {
				t.Errorf("the error is %v", r.Err())
			}
		})
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func frame(body string) string {
	return "noise\nrmqprov-preflight-begin\n" + body + "rmqprov-preflight-end\n"
}

func mustHear(t *testing.T, body string) heard {
	t.Helper()
	h, err := readHeard(frame(body))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustKnock(t *testing.T, body string) knocked {
	t.Helper()
	k, err := readKnocked(frame(body))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestHalfAnAnswerIsNone(t *testing.T) {
	tests := map[string]struct{ answer, want string }{
		"nothing":    {"", "not whole"},
		"cut off":    {strings.TrimSuffix(frame(allHeard), "end\n"), "not whole"},
		"a stranger": {frame("hello there\n"), `no known form: "hello there"`},
		"no number":  {frame("sshd maxsessions many\n"), "many"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := readHeard(tt.answer); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}
