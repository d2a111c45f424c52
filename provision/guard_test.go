package provision

import (
	"errors"
	"fmt"
	"testing"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/provision/plan"
)

func TestMajorityWithout(t *testing.T) {
	tests := map[string]struct {
		managers string // a letter each: host and whether it answers; upper case does
		guard    plan.Guard
		want     string // "": a majority is left
	}{
		"one of three stops":              {"ABC", plan.Guard{Host: "a"}, ""},
		"one of three, and one is down":   {"ABc", plan.Guard{Host: "a"}, "1 of 3 swarm managers would answer without a, which is no majority"},
		"the one that is down stops":      {"ABc", plan.Guard{Host: "c"}, ""},
		"nothing of the swarm stops":      {"ABc", plan.Guard{}, ""},
		"most are down":                   {"Abc", plan.Guard{}, "1 of 3 swarm managers would answer, which is no majority"},
		"one of five, and two are down":   {"ABCde", plan.Guard{Host: "a"}, "2 of 5 swarm managers would answer without a, which is no majority"},
		"one leaves, and another is down": {"ABc", plan.Guard{Host: "a", Gone: true}, "1 of 2 swarm managers would answer without a, which is no majority"},
		"one leaves of three":             {"ABC", plan.Guard{Host: "a", Gone: true}, ""},
		"a worker stops":                  {"ABC", plan.Guard{Host: "w"}, ""},
		"the only one":                    {"A", plan.Guard{Host: "a"}, ""},
		"one of two, which is none less":  {"AB", plan.Guard{Host: "a"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			nodes := []swarm.Node{{Spec: labelled("w")}}
			for _, m := range tt.managers {
				reach := swarm.ReachabilityReachable
				if m >= 'a' {
					reach = swarm.ReachabilityUnreachable
				}
				nodes = append(nodes, swarm.Node{Spec: labelled(string(m | 0x20)), ManagerStatus: &swarm.ManagerStatus{Reachability: reach}})
			}
			got := ""
			if err := majorityWithout(nodes, &tt.guard); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAMemberThatDoesNotRunIsNotAtRisk(t *testing.T) {
	if err := atRisk(fmt.Errorf("asking: %w", notRunning{"db_db-01"})); err != nil {
		t.Errorf("it would be waited for: %v", err)
	}
	refused := errors.New("no majority without it")
	if err := atRisk(refused); err != refused {
		t.Errorf("got %v, want what the member said", err)
	}
}

func labelled(host string) swarm.NodeSpec {
	return swarm.NodeSpec{Annotations: swarm.Annotations{Labels: map[string]string{plan.HostLabel: host}}}
}
