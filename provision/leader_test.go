package provision

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/api/types/system"
)

func TestAwaitLeader(t *testing.T) {
	noLeader := errors.New("rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online.")
	lost := errors.New("rpc error: code = Unknown desc = raft: failed to process the request: node lost leader status")
	tests := map[string]struct {
		elected time.Duration // when there is a leader
		without error         // the answer until then
		answer  error         // with one
		want    error
		took    time.Duration
	}{
		"at once":                      {0, nil, nil, nil, 0},
		"another error":                {0, nil, errors.ErrUnsupported, errors.ErrUnsupported, 0},
		"an election":                  {2900 * time.Millisecond, noLeader, nil, nil, 3 * time.Second},
		"a leader that is one no more": {2900 * time.Millisecond, lost, nil, nil, 3 * time.Second},
		"never a leader":               {time.Hour, noLeader, nil, noLeader, 45300 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := awaitLeader(context.Background(), func() error {
					if time.Since(began) < tt.elected {
						return tt.without
					}
					return tt.answer
				})
				if took := time.Since(began); err != tt.want || took != tt.took {
					t.Errorf("got %v after %s, want %v after %s", err, took, tt.want, tt.took)
				}
			})
		})
	}
}

func TestUnled(t *testing.T) {
	for name, tt := range map[string]struct {
		info swarm.Info
		want bool
	}{
		"a manager of a swarm":                    {swarm.Info{ControlAvailable: true, Cluster: &swarm.ClusterInfo{ID: "s"}}, false},
		"a manager that could not ask the leader": {swarm.Info{ControlAvailable: true, Cluster: &swarm.ClusterInfo{}}, true},
		"a manager that has just started":         {swarm.Info{ControlAvailable: true}, true},
		"a worker":                                {swarm.Info{}, false},
	} {
		if got := unled(system.Info{Swarm: tt.info}); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
