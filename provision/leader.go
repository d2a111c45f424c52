package provision

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
)

// electionWithin bounds the wait for a swarm's leader. Where that is gone, the
// managers elect another within seconds, as long as most of them are there.
const electionWithin = 10 * time.Second

// awaitLeader asks until the answer is another than that there is no leader.
func awaitLeader(ctx context.Context, ask func() error) error {
	for deadline := time.Now().Add(electionWithin); ; {
		err := ask()
		if err == nil || !strings.Contains(err.Error(), "does not have a leader") || time.Now().After(deadline) || pause(ctx, 300*time.Millisecond) != nil {
			return err
		}
	}
}

// infoWithLeader asks an Engine what it is. Without a leader a manager does not
// say which swarm it manages, but only why.
func infoWithLeader(ctx context.Context, docker *client.Client) (info system.Info, err error) {
	_ = awaitLeader(ctx, func() error {
		var r client.SystemInfoResult
		r, err = docker.Info(ctx, client.InfoOptions{})
		if info = r.Info; err != nil {
			return err
		}
		return errors.New(info.Swarm.Error)
	})
	return info, err
}
