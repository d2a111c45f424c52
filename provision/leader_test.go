package provision

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAwaitLeader(t *testing.T) {
	noLeader := errors.New("rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online.")
	tests := map[string]struct {
		elected time.Duration // when there is a leader
		answer  error         // with one
		want    error
		took    time.Duration
	}{
		"at once":        {0, nil, nil, 0},
		"another error":  {0, errors.ErrUnsupported, errors.ErrUnsupported, 0},
		"an election":    {2900 * time.Millisecond, nil, nil, 3 * time.Second},
		"never a leader": {time.Hour, nil, noLeader, 25200 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := awaitLeader(context.Background(), func() error {
					if time.Since(began) < tt.elected {
						return noLeader
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
