package hosts

import (
	"net/netip"
	"testing"
)

func addresses(t *testing.T, texts ...string) []netip.Addr {
	t.Helper()
	var all []netip.Addr
	for _, s := range texts {
		a, err := netip.ParseAddr(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

func TestAddress(t *testing.T) {
	tests := []struct {
		subnet string
		n      int
		used   []string
		want   string // empty: an error
	}{
		{"10.78.0.0/24", 1, nil, "10.78.0.11"},
		{"10.78.0.0/24", 3, nil, "10.78.0.13"},
		{"10.78.0.0/24", 11, []string{"10.78.0.21"}, "10.78.0.22"},
		{"10.78.0.5/24", 1, nil, "10.78.0.11"},
		{"10.78.0.0/16", 300, nil, "10.78.1.54"},
		{"10.78.0.0/28", 4, nil, "10.78.0.14"},
		{"10.78.0.0/28", 5, nil, ""}, // .15 is the broadcast address
	}
	for _, test := range tests {
		got, err := Address(netip.MustParsePrefix(test.subnet), test.n, addresses(t, test.used...))
		if test.want == "" {
			if err == nil {
				t.Errorf("Address(%s, %d) = %s, want an error", test.subnet, test.n, got)
			}
			continue
		}
		if err != nil || got.String() != test.want {
			t.Errorf("Address(%s, %d, %v) = %s, %v, want %s", test.subnet, test.n, test.used, got, err, test.want)
		}
	}
}

func TestReplacementAddressIsNeverOneThatWasJustLost(t *testing.T) {
	subnet := netip.MustParsePrefix("10.78.0.0/24")
	tests := []struct {
		used []string
		want string
	}{
		{[]string{"10.78.0.11", "10.78.0.12", "10.78.0.13"}, "10.78.0.21"},
		{[]string{"10.78.0.11", "10.78.0.21", "10.78.0.13"}, "10.78.0.22"},
		{[]string{"10.78.0.11", "10.78.0.24", "10.78.0.23"}, "10.78.0.25"},
	}
	for _, test := range tests {
		got, err := replacementAddress(subnet, addresses(t, test.used...))
		if err != nil || got.String() != test.want {
			t.Errorf("beside %v: %s, %v, want %s", test.used, got, err, test.want)
		}
	}
	if got, err := replacementAddress(subnet, addresses(t, "10.78.0.254")); err == nil {
		t.Errorf("a full subnet gave %s", got)
	}
}

func TestGateway(t *testing.T) {
	if got := Gateway(netip.MustParsePrefix("10.78.3.0/24")).String(); got != "10.78.3.1" {
		t.Error(got)
	}
}
