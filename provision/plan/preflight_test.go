package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

func preflightOf(t *testing.T, p *Plan, host string) Preflight {
	t.Helper()
	s, ok := p.Step(preflightID(host))
	if !ok {
		t.Fatalf("host %s is not tried; the steps are\n%s", host, p.Graph())
	}
	return s.Action.(Preflight)
}

func TestPreflightTriesWhatIsNeeded(t *testing.T) {
	w := threeHosts()
	w.Inventory.Hosts[2].Role = "worker"
	w.Inventory.Hosts[0].Role, w.Inventory.Hosts[1].Role = "manager", "manager"
	w.Inventory.Hosts[2].Jump = "ec2-user@b:22"
	w.Inventory.Swarm.DataPathPort = 5000
	w.Inventory.Networks = append(w.Inventory.Networks, inventory.Network{Name: "jumbo", MTU: 8950})
	w.Stacks[0].Ports = []playbooks.Port{
		{Name: "peers", Number: 25672, Protocol: "tcp", From: "hosts", Note: "Erlang"},
		{Name: "amqp", Number: 5672, Protocol: "tcp", From: "clients"},
	}
	p := mustMake(t, w, bare(w))
	addr := func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i)) }
	ports := []Port{{2377, "tcp", "swarm managers' control"}, {7946, "tcp", "swarm nodes' gossip"}, {7946, "udp", "swarm nodes' gossip"},
		{5000, "udp", "overlay networks (VXLAN)"}, {25672, "tcp", "db peers: Erlang"}}
	want := Preflight{
		In: []Way{
			{From: "a", To: "b", Source: addr(1), Dest: addr(2), Ports: ports},
			{From: "c", To: "b", Source: addr(3), Dest: addr(2), Ports: ports},
		},
		Packet: 9000, Logins: 2,
		Ranges: []Range{{netip.MustParsePrefix("10.0.1.0/24"), `the subnet 10.0.1.0/24 of network "prod"`, "give the network another subnet"}},
	}
	if diff := cmp.Diff(want, preflightOf(t, p, "b"), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
	if got := portList(preflightOf(t, p, "c").In[0].Ports); got != "7946/tcp, 7946/udp, 5000/udp, 25672/tcp" {
		t.Errorf("a worker is tried on %s", got)
	}
}

func TestPreflightOfAHostThatJoinsKnocksAtMembersToo(t *testing.T) {
	w := threeHosts()
	got := built(t, w)
	w.Inventory.Hosts = append(w.Inventory.Hosts, inventory.Host{Name: "d", Address: "192.0.2.4"}, inventory.Host{Name: "e", Address: "192.0.2.5"})
	got.Hosts["d"], got.Hosts["e"] = bare(w).Hosts["d"], bare(w).Hosts["e"]
	p := mustMake(t, w, got)
	check := preflightOf(t, p, "d")
	var in, out []string
	for _, way := range check.In {
		in = append(in, way.From)
	}
	for _, way := range check.Out {
		out = append(out, way.To)
	}
	if !slices.Equal(in, []string{"a", "b", "c", "e"}) || !slices.Equal(out, []string{"a", "b", "c"}) {
		t.Errorf("d is knocked at by %v and knocks at %v", in, out)
	}
	join, _ := p.Step("host.d.swarm")
	if slices.Contains(join.After, preflightID("e")) || !slices.Contains(join.After, preflightID("d")) {
		t.Errorf("d's join waits for %v", join.After)
	}
}

func TestDisruptionsWaitForThePreflightOfTheirHost(t *testing.T) {
	w := threeHosts()
	got := bare(w)
	h := got.Hosts["b"] // Docker runs there with another configuration, outside a swarm
	h.Facts.Value.Docker = state.Unit{Loaded: true, Enabled: true, Active: true}
	h.Facts.Value.Files[DaemonPath] = state.File{Content: []byte("{}")}
	h.Engine.Value = &state.Engine{Version: "26.1.5"}
	got.Hosts["b"] = h
	h = got.Hosts["c"]
	h.Facts.Value.Docker.Loaded = true
	got.Hosts["c"] = h
	p := mustMake(t, w, got)
	for id, waits := range map[ID]bool{"host.b.daemon": true, "host.c.docker": true, "host.a.docker": false} {
		s, _ := p.Step(id)
		if got := slices.Contains(s.After, preflightID(s.Host)); got != waits {
			t.Errorf("%s waits for %v", id, s.After)
		}
	}
}

// Of many hosts not every pair is tried; and yet every host is with the managers
// and with the one before it, so that no part of the whole is left out.
func TestNeighboursOfManyHosts(t *testing.T) {
	for _, n := range []int{2, 3, 12, 13, 100, 1000} {
		w := threeHosts()
		w.Inventory.Hosts = nil
		for i := range n {
			w.Inventory.Hosts = append(w.Inventory.Hosts, inventory.Host{Name: fmt.Sprintf("h%d", i), Address: fmt.Sprintf("10.1.%d.%d", i/250, i%250+1)})
		}
		m := newBuilder(w, bare(w)).mesh(nil)
		tried := map[[2]int]bool{}
		for at := range n {
			for _, from := range m.neighbours(at, -1) {
				tried[[2]int{from, at}] = true
			}
		}
		for at := range n {
			if before := (at + n - 1) % n; !tried[[2]int{before, at}] {
				t.Errorf("of %d hosts, %d is not tried with the one before it", n, at)
			}
			if at > 0 && !tried[[2]int{0, at}] {
				t.Errorf("of %d hosts, the first manager is not tried with %d", n, at)
			}
		}
		if bound := n * (meshed + 4); len(tried) > bound {
			t.Errorf("of %d hosts, %d pairs are tried, and %d are enough", n, len(tried), bound)
		}
	}
}

func TestHostsThatCannotDoTheirPartAreRefused(t *testing.T) {
	facts := func(host string, change func(*state.Facts)) func(*Want, map[string]state.Facts) {
		return func(_ *Want, all map[string]state.Facts) {
			f := all[host]
			change(&f)
			all[host] = f
		}
	}
	tests := map[string]struct {
		change func(*Want, map[string]state.Facts)
		want   string
	}{
		"nothing amiss": {facts("a", func(f *state.Facts) { f.Skew = 20 * time.Second }), ""},
		"little memory": {facts("b", func(f *state.Facts) { f.Memory = 600 << 20 }),
			"host b: it has 600 MiB of memory and needs 704 MiB\n    → take a larger machine, or put fewer stacks on it; of memory and disk, what is to run there asks for db 512 MiB and 3.0 GiB, and the system 192 MiB"},
		"little disk": {facts("c", func(f *state.Facts) { f.DiskFree = 2 << 30 }), "host c: it has 2.0 GiB free under /var/lib and needs 3.0 GiB"},
		"clocks apart": {facts("b", func(f *state.Facts) { f.Skew = -45 * time.Second }),
			"host a: its clock and that of b are 45s apart; against this machine's, a is +0s and b -45s"},
		"a subnet over the hosts": {func(w *Want, _ map[string]state.Facts) { w.Inventory.Networks[0].Subnet = "192.0.0.0/16" },
			`host a: the subnet 192.0.0.0/16 of network "prod" covers the host's own network 192.0.2.0/24`},
		"a pool over the resolver": {func(w *Want, all map[string]state.Facts) {
			w.Inventory.Swarm.AddressPools = []string{"10.0.0.0/16"}
			f := all["c"]
			f.Resolvers = []netip.Addr{netip.MustParseAddr("10.0.0.2")}
			all["c"] = f
		}, "host c: address pool 10.0.0.0/16 covers the host's resolver 10.0.0.2\n    → choose another range"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := threeHosts()
			w.Stacks[0].Requires = playbooks.Requires{Memory: 512 << 20, Disk: 3 << 30}
			snap := bare(w)
			all := map[string]state.Facts{}
			for _, host := range slices.Sorted(maps.Keys(snap.Hosts)) {
				all[host] = snap.Hosts[host].Facts.Value
			}
			tt.change(&w, all)
			for host, f := range all {
				snap.Hosts[host] = state.Host{Facts: state.Known[state.Facts]{Value: f}}
			}
			_, err := Make(w, snap)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Count(err.Error(), "\n  - ") != 1) {
				t.Errorf("got %v, want %q and nothing more", err, tt.want)
			}
		})
	}
}

func TestCheckupTriesMembersToo(t *testing.T) {
	w := threeHosts()
	got := built(t, w)
	got.Hosts["b"] = state.Host{Facts: state.Known[state.Facts]{Err: fmt.Errorf("no answer")}}
	steps, refused := Checkup(w, got)
	var text []string
	for _, s := range steps {
		check := s.Action.(Preflight)
		text = append(text, fmt.Sprintf("%s: %d in, %d out", s.Host, len(check.In), len(check.Out)))
	}
	if diff := cmp.Diff([]string{"a: 1 in, 1 out", "c: 1 in, 1 out"}, text); diff != "" || len(refused) != 0 {
		t.Errorf("%s\nrefused %v", diff, refused)
	}
}
