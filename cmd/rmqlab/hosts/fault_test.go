package hosts

import (
	"context"
	"testing"
)

// What a host's state rules out is said before anything is done to it.
func TestFaultsThatAStateRulesOut(t *testing.T) {
	throttle := func(l *Lab, ctx context.Context, h Host) error { return l.Throttle(ctx, h, 0.001) }
	block := func(port string) func(*Lab, context.Context, Host) error {
		return func(l *Lab, ctx context.Context, h Host) error { return l.Block(ctx, h, port) }
	}
	tests := map[string]struct {
		do    func(*Lab, context.Context, Host) error
		state State
		pid   int
		want  string
	}{
		"kill a killed host":      {(*Lab).Kill, Killed, 0, "host node-1 is killed already"},
		"freeze a frozen host":    {(*Lab).Freeze, Frozen, 1, "host node-1 is frozen already"},
		"freeze a killed host":    {(*Lab).Freeze, Killed, 0, "host node-1 is killed already"},
		"thaw a running host":     {(*Lab).Thaw, Running, 1, "host node-1 is not frozen but running"},
		"cut a killed host":       {(*Lab).Cut, Killed, 0, "host node-1 is off: start it first"},
		"block on a killed host":  {block("80"), Killed, 0, "host node-1 is off: start it first"},
		"block what is no port":   {block("99999"), Running, 1, `"99999" is not a port: write 5672, 5672/tcp or 4789/udp`},
		"block what is no proto":  {block("80/icmp"), Running, 1, `"80/icmp" is not a port: write 5672, 5672/tcp or 4789/udp`},
		"throttle to next to nil": {throttle, Running, 1, "a host needs at least a hundredth of a core, and 0.001 is less; 0 lifts the limit"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.do(&Lab{Name: "lab"}, t.Context(), Host{Name: "node-1", State: test.state, pid: test.pid})
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
}
