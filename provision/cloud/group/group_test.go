package group

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/inventory"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (run with -update if that is meant):\n%s", file, diff)
	}
}

func demo() *inventory.Inventory {
	return &inventory.Inventory{
		Cluster: inventory.Cluster{Name: "rmq"},
		Hosts:   []inventory.Host{{Name: "node-1"}, {Name: "node-2", Port: 2222}},
		SecurityGroup: &inventory.SecurityGroup{
			Name: "rmq", Clients: []string{"172.31.0.0/16", "2001:db8::/32"}, Operators: []string{"203.0.113.7/32"},
		},
	}
}

func demoPorts() []Port {
	return []Port{
		{"consul", "console", 8500, "tcp", "operators", "Consul's web console"},
		{"haproxy", "amqp", 5672, "tcp", "clients", "AMQP"},
		{"haproxy", "again", 5672, "tcp", "clients", "the same once more"},
		{"dns", "dns", 8600, "udp", "hosts", ""},
	}
}

func ruleTable(rules []Rule) string {
	var b strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&b, "%s | %s\n", r, r.Description)
	}
	return b.String()
}

func TestWanted(t *testing.T) {
	encrypted := demo()
	encrypted.Networks = []inventory.Network{{Name: "plain"}, {Name: "prod", Encrypted: true}}
	encrypted.Swarm.DataPathPort = 7789
	closed := demo()
	closed.SecurityGroup.Clients, closed.SecurityGroup.Operators = nil, nil
	for name, inv := range map[string]*inventory.Inventory{"demo": demo(), "encrypted": encrypted, "closed": closed} {
		t.Run(name, func(t *testing.T) {
			golden(t, "wanted-"+name+".txt", ruleTable(Wanted(inv, demoPorts()).Rules))
		})
	}
}

func TestDescription(t *testing.T) {
	for in, want := range map[string]string{
		"Consul's console":       "Consuls console",
		"für \"alle\" | <b>":     "f-r -alle- - -b-",
		strings.Repeat("x", 300): strings.Repeat("x", 255),
		"ends in ümlaut é":       "ends in -mlaut -",
	} {
		if got := description(in); got != want {
			t.Errorf("description(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNormal(t *testing.T) {
	for _, c := range []struct{ in, want Rule }{
		{Rule{Protocol: "6", From: 22, To: 22, Source: "10.1.2.3/8"}, Rule{Protocol: "tcp", From: 22, To: 22, Source: "10.0.0.0/8"}},
		{Rule{Protocol: "50", From: -1, To: -1, Source: Self}, Rule{Protocol: "50", Source: Self}},
		{Rule{Protocol: "-1", From: -1, To: -1, Source: "2001:DB8:0::/32"}, Rule{Protocol: "-1", Source: "2001:db8::/32"}},
		{Rule{Protocol: "1", From: -1, To: -1, Source: "pl-1"}, Rule{Protocol: "icmp", From: -1, To: -1, Source: "pl-1"}},
	} {
		if got := c.in.Normal(); got != c.want {
			t.Errorf("Normal of %+v is %+v, want %+v", c.in, got, c.want)
		}
	}
}

// seen is a VPC with the demo's two hosts and no group.
func seen() Seen {
	host := func(n string) Host {
		return Host{Name: "node-" + n, Instance: "i-" + n, VPC: "vpc-1", Interface: Interface{ID: "eni-" + n, Owner: "i-" + n, Groups: []string{"sg-default"}}}
	}
	return Seen{Region: "ap-southeast-1", Hosts: []Host{host("1"), host("2")}}
}

// settled is the group as a first run leaves it.
func settled(want Want) Seen {
	s := seen()
	s.Group = &Group{ID: "sg-own", Name: want.Name, VPC: "vpc-1", Tags: map[string]string{OwnerTag: want.Cluster}}
	for i, r := range want.Rules {
		s.Group.Rules = append(s.Group.Rules, SeenRule{ID: fmt.Sprintf("sgr-%02d", i), Rule: r, Tags: s.Group.Tags})
	}
	for i := range s.Hosts {
		s.Hosts[i].Groups = append(s.Hosts[i].Groups, "sg-own")
	}
	return s
}

// foreign adds rules that somebody else made.
func foreign(s Seen, rules ...Rule) Seen {
	for _, r := range rules {
		s.Group.Rules = append(s.Group.Rules, SeenRule{ID: fmt.Sprintf("sgr-foreign-%d", len(s.Group.Rules)), Rule: r})
	}
	return s
}

func text(items []Item, refused []Refusal) string {
	var b strings.Builder
	for _, i := range items {
		fmt.Fprintf(&b, "%s %s: %s\n  why: %s\n", i.Kind, i.ID, i.Summary, i.Why)
		for _, c := range i.Changes {
			fmt.Fprintf(&b, "  %s: %v -> %v\n", c.Path, c.Before, c.After)
		}
		fmt.Fprintf(&b, "  phase %d, host %q, after %v, foreign %v, disrupts %q\n  %T%+v\n", i.Phase, i.Host, i.After, i.Foreign, i.Disrupts, i.Deed, i.Deed)
	}
	for _, r := range refused {
		fmt.Fprintf(&b, "refused %q: %s\n  fix: %s\n", r.Host, r.Reason, r.Fix)
	}
	return b.String()
}

func TestDiff(t *testing.T) {
	want := Wanted(demo(), demoPorts())
	adopted := want
	adopted.Adopt = "sg-own"
	odd := Rule{Protocol: "tcp", From: 3306, To: 3310, Source: "0.0.0.0/0", Description: "somebody's"}

	stale := settled(want)
	stale.Group.Rules = append(stale.Group.Rules, SeenRule{ID: "sgr-stale", Rule: Rule{Protocol: "tcp", From: 1936, To: 1936, Source: "198.51.100.0/24"}, Tags: stale.Group.Tags})
	stale.Group.Rules[0].Description = "rmq: old words"
	stale.Others = []Interface{{ID: "eni-9", Owner: "i-9", Groups: []string{"sg-default", "sg-own"}}}

	missing := settled(want)
	missing.Group.Rules = missing.Group.Rules[1:]
	missing.Hosts[1].Groups = []string{"sg-default"}

	for name, c := range map[string]struct {
		want Want
		seen Seen
	}{
		"first":   {want, seen()},
		"settled": {want, settled(want)},
		"missing": {want, missing},
		"stale":   {want, stale},
		"foreign": {want, foreign(settled(want), odd)},
		"adopted": {adopted, foreign(settled(want), odd)},
	} {
		t.Run(name, func(t *testing.T) {
			items, refused := Diff(c.want, c.seen)
			golden(t, "diff-"+name+".txt", text(items, refused))
		})
	}
}

// A rule that somebody else added and that is wanted is what was wanted.
func TestDiffTakesRulesOfOthersThatFit(t *testing.T) {
	want := Wanted(demo(), demoPorts())
	s := settled(want)
	for i := range s.Group.Rules {
		s.Group.Rules[i].Tags = nil
		s.Group.Rules[i].Description = "by hand"
	}
	if items, refused := Diff(want, s); len(items)+len(refused) > 0 {
		t.Errorf("there is nothing to do, and the plan is\n%s", text(items, refused))
	}
}

func TestDiffOrder(t *testing.T) {
	s := foreign(settled(Wanted(demo(), nil)), Rule{Protocol: "tcp", From: 1, To: 1, Source: "10.0.0.0/8"})
	items, _ := Diff(Wanted(demo(), demoPorts()), s)
	var opened []string
	for _, i := range items {
		if i.Phase == Open {
			opened = append(opened, i.ID)
			continue
		}
		if len(opened) == 0 || !slices.Equal(i.After, opened) {
			t.Errorf("%s waits for %v; all that opens must come before: %v", i.ID, i.After, opened)
		}
	}
}

func TestRefusals(t *testing.T) {
	want := Wanted(demo(), demoPorts())
	for name, c := range map[string]struct {
		change func(w *Want, s *Seen)
		want   string // part of the refusal; "" for none
	}{
		"no hosts":        {func(_ *Want, s *Seen) { s.Hosts = nil }, "there are none"},
		"no id":           {func(_ *Want, s *Seen) { s.Hosts[1] = Host{Name: "node-2"} }, "instance_id"},
		"gone":            {func(_ *Want, s *Seen) { s.Hosts[1].VPC = "" }, "has no instance i-2"},
		"two VPCs":        {func(_ *Want, s *Seen) { s.Hosts[1].VPC = "vpc-2" }, "node-1 in vpc-1; node-2 in vpc-2"},
		"name taken":      {func(_ *Want, s *Seen) { s.Group, s.Taken = nil, "sg-other" }, "sg-other"},
		"adopted missing": {func(w *Want, s *Seen) { w.Adopt, s.Group = "sg-nope", nil }, "has no security group sg-nope"},
		"other VPC":       {func(_ *Want, s *Seen) { s.Group.VPC = "vpc-2" }, "sg-own is in vpc-2"},
		"five groups":     {func(_ *Want, s *Seen) { s.Hosts[0].Groups = []string{"a", "b", "c", "d", "e"} }, "has 5 security groups (a, b, c, d, e)"},
		"five with ours":  {func(_ *Want, s *Seen) { s.Hosts[0].Groups = []string{"a", "b", "c", "d", "sg-own"} }, ""},
		"six":             {func(_ *Want, s *Seen) { s.Hosts[0].Groups = []string{"a", "b", "c", "d", "e", "f"} }, ""}, // the account's limit is higher
		"sixty rules":     {func(w *Want, _ *Seen) { w.Rules = append(w.Rules, many(60-families(w.Rules)["IPv4"])...) }, ""},
		"one more":        {func(w *Want, _ *Seen) { w.Rules = append(w.Rules, many(61-families(w.Rules)["IPv4"])...) }, "would have 61 rules for IPv4"},
		"raised": {func(w *Want, s *Seen) {
			*s = foreign(*s, many(70)...)
			w.Rules = append(w.Rules, Rule{Protocol: "udp", From: 9, To: 9, Source: Self})
		}, ""},
		"last group of another": {func(_ *Want, s *Seen) { s.Others = []Interface{{"eni-9", "i-9", []string{"sg-own"}}} }, "keeps no interface without a group"},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := want, settled(want)
			w.Rules = slices.Clone(w.Rules)
			c.change(&w, &s)
			items, refused := Diff(w, s)
			got := text(nil, refused)
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("refused: %q; want %q in it", got, c.want)
			}
			if len(refused) > 0 && len(items) > 0 {
				t.Errorf("refused, and yet has %d items", len(items))
			}
		})
	}
}

func many(n int) []Rule {
	var rules []Rule
	for i := range n {
		rules = append(rules, Rule{Protocol: "tcp", From: 10000 + i, To: 10000 + i, Source: "192.0.2.0/24"})
	}
	return rules
}

func families(rules []Rule) map[string]int {
	n := map[string]int{}
	for _, r := range rules {
		count(n, r)
	}
	return n
}

func TestRemove(t *testing.T) {
	want := Wanted(demo(), demoPorts())
	adopted := want
	adopted.Adopt = "sg-own"
	lone := settled(want)
	lone.Hosts[0].Groups = []string{"sg-own"}
	for name, c := range map[string]struct {
		want Want
		seen Seen
	}{
		"own":     {want, settled(want)},
		"nothing": {want, seen()},
		"adopted": {adopted, foreign(settled(want), Rule{Protocol: "tcp", From: 1, To: 1, Source: "10.0.0.0/8"})},
		"lone":    {want, lone},
	} {
		t.Run(name, func(t *testing.T) {
			items, refused := Remove(c.want, c.seen)
			golden(t, "remove-"+name+".txt", text(items, refused))
		})
	}
}

func TestCount(t *testing.T) {
	for source, want := range map[string][2]int{
		"10.0.0.0/8": {1, 0}, "2001:db8::/32": {0, 1}, Self: {1, 1}, "sg-0123": {1, 1}, "pl-0123": {1, 1},
	} {
		n := families([]Rule{{Protocol: "tcp", Source: source}})
		if n["IPv4"] != want[0] || n["IPv6"] != want[1] {
			t.Errorf("a rule from %s counts as %v, want %v", source, n, want)
		}
	}
}
