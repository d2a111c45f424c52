package state

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Both are as Docker 26.1 writes them.
func TestWhatAnEngineKeepsOfItsSwarm(t *testing.T) {
	start, err := ParseSwarmStart([]byte(`{"LocalAddr":"10.80.0.11","RemoteAddr":"","ListenAddr":"0.0.0.0:2377","AdvertiseAddr":"10.80.0.11:2377","DataPathAddr":"","DefaultAddressPool":["10.201.0.0/16"],"SubnetSize":24,"DataPathPort":4790,"JoinInProgress":false}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := (SwarmStart{Listen: "0.0.0.0:2377", Advertise: "10.80.0.11:2377", DataPathPort: 4790}); start != want {
		t.Errorf("got %+v, want %+v", start, want)
	}
	managers, err := ParseManagers([]byte(`[{"node_id":"6zh2","addr":"10.80.0.13:2377"},{"node_id":"8z25","addr":"10.80.0.11:2377"}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Manager{{NodeID: "6zh2", Address: netip.MustParseAddrPort("10.80.0.13:2377")}, {NodeID: "8z25", Address: netip.MustParseAddrPort("10.80.0.11:2377")}}
	if diff := cmp.Diff(want, managers, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
	if _, err := ParseSwarmStart([]byte(`{}`)); err == nil {
		t.Error("a state without an address was taken")
	}
	if _, err := ParseManagers([]byte(`[{"addr":"here"}]`)); err == nil {
		t.Error("a manager without an address was taken")
	}
}
