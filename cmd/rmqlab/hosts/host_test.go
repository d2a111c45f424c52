package hosts

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const inspectOutput = `[
 {"Id": "c10", "State": {"Status": "exited", "Pid": 0}, "Config": {"Image": "rmqlab/host:debian13", "Labels": {
   "rmqlab.host": "node-10", "rmqlab.address": "10.78.0.20", "rmqlab.os": "debian13", "rmqlab.zone": "z-a",
   "rmqlab.instance": "i-10", "rmqlab.hostkeys": "ssh-ed25519 AAAA\necdsa-sha2-nistp256 BBBB"}}},
 {"Id": "c4", "State": {"Status": "created"}, "Config": {"Labels": {"rmqlab.host": "node-4", "rmqlab.address": "10.78.0.14"}}},
 {"Id": "c3", "State": {"Status": "paused", "Pid": 33}, "Config": {"Labels": {"rmqlab.host": "node-3", "rmqlab.address": "10.78.0.13"}}},
 {"Id": "c2", "State": {"Status": "running", "Pid": 22}, "Config": {"Labels": {"rmqlab.host": "node-2", "rmqlab.address": "10.78.0.12"}}},
 {"Id": "c1", "State": {"Status": "running", "Pid": 11}, "Config": {"Labels": {"rmqlab.host": "node-1", "rmqlab.address": "10.78.0.11"}}}
]`

func TestParseHosts(t *testing.T) {
	got, err := parseHosts([]byte(inspectOutput), func(pid int) bool { return pid == 22 })
	if err != nil {
		t.Fatal(err)
	}
	none := []string{""}
	want := []Host{
		{Name: "node-1", State: Running, Address: netip.MustParseAddr("10.78.0.11"), HostKeys: none, container: "c1", pid: 11},
		{Name: "node-2", State: Cut, Address: netip.MustParseAddr("10.78.0.12"), HostKeys: none, container: "c2", pid: 22},
		{Name: "node-3", State: Frozen, Address: netip.MustParseAddr("10.78.0.13"), HostKeys: none, container: "c3", pid: 33},
		{Name: "node-4", State: Unfinished, Address: netip.MustParseAddr("10.78.0.14"), HostKeys: none, container: "c4"},
		{
			Name: "node-10", State: Killed, Address: netip.MustParseAddr("10.78.0.20"), OS: "debian13", Instance: "i-10", Zone: "z-a",
			HostKeys: []string{"ssh-ed25519 AAAA", "ecdsa-sha2-nistp256 BBBB"}, container: "c10", image: "rmqlab/host:debian13",
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Host{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
}

func TestParseHostsRefusesAContainerWithoutAddress(t *testing.T) {
	_, err := parseHosts([]byte(`[{"Id": "c1", "Config": {"Labels": {"rmqlab.host": "node-1"}}}]`), nil)
	if err == nil || !strings.Contains(err.Error(), "container c1: label rmqlab.address") {
		t.Error(err)
	}
}

func TestChooseSubnet(t *testing.T) {
	prefix := func(s string) netip.Prefix {
		if s == "" {
			return netip.Prefix{}
		}
		return netip.MustParsePrefix(s)
	}
	tests := map[string]struct {
		has, asked string
		want, err  string
	}{
		"a new lab takes the default":       {"", "", "10.78.0.0/24", ""},
		"a new lab takes what is asked for": {"", "10.79.0.9/24", "10.79.0.0/24", ""},
		"a lab keeps what it has":           {"10.79.0.0/24", "", "10.79.0.0/24", ""},
		"asking for what it has is fine":    {"10.79.0.0/24", "10.79.0.0/24", "10.79.0.0/24", ""},
		"a lab does not move":               {"10.79.0.0/24", "10.80.0.0/24", "", "runs on subnet 10.79.0.0/24, not 10.80.0.0/24"},
		"IPv6 is refused":                   {"", "fd00::/64", "", "the lab's network is IPv4"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := &Lab{Name: "lab", Subnet: prefix(test.has)}
			err := l.ChooseSubnet(prefix(test.asked), prefix("10.78.0.0/24"))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || l.Subnet.String() != test.want {
				t.Errorf("got %s, %v", l.Subnet, err)
			}
		})
	}
}

func TestBridgeNameFitsTheKernel(t *testing.T) {
	for _, name := range []string{"lab", strings.Repeat("long-", 20)} {
		if got := (&Lab{Name: name}).bridge(); len(got) > 15 {
			t.Errorf("%s has %d bytes", got, len(got))
		}
	}
}
