package provision

import (
	"errors"
	"testing"

	"github.com/rmqprov/rmqprov/provision/plan"
)

func TestServed(t *testing.T) {
	drain := plan.Step{ID: "drain"}
	gate := plan.Step{ID: "gate", After: []plan.ID{"drain"}}
	stops := plan.Step{ID: "stop", After: []plan.ID{"drain", "gate"}, Disrupts: "restarts it"}
	for name, tt := range map[string]struct {
		fail plan.ID
		want bool
	}{
		"the stop came about":             {"", true},
		"the stop failed":                 {"stop", false},
		"something before the stop fails": {"gate", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{fail: map[plan.ID]error{tt.fail: errors.New("no")}}
			if got := served(walk(t.Context(), w, nil, drain, gate, stops), "drain"); got != tt.want {
				t.Errorf("served is %v, want %v", got, tt.want)
			}
		})
	}
}
