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
// managers elect another, as long as most of them are there: within 20 s where it
// lost its power and said no goodbye (ten to twenty ticks of a second each). Of two
// that are left, one may ask for the other's vote while that still counts on the lost
// leader, and has voted for itself when it is asked in turn: then it takes a second
// election (seen in one power cut of four).
const electionWithin = 45 * time.Second

// errUnled is said of a manager that does not say which swarm it manages: there
// is no leader, or its Docker has only just started.
var errUnled = errors.New("it does not have a leader")

// isUnled recognises the answers of a manager while there is no leader, and of one
// that has just ceased to be it. What it was asked may have been done or not; what
// is asked here can be asked twice.
func isUnled(err error) bool {
	text := err.Error()
	return strings.Contains(text, "does not have a leader") || strings.Contains(text, "node lost leader status")
}

// awaitLeader asks until the answer is another than that there is no leader.
func awaitLeader(ctx context.Context, ask func() error) error {
	for deadline := time.Now().Add(electionWithin); ; {
		err := ask()
		if err == nil || !isUnled(err) || time.Now().After(deadline) || pause(ctx, 300*time.Millisecond) != nil {
			return err
		}
	}
}

// infoWithLeader asks an Engine what it is, and a manager until it says which
// swarm it manages. Whoever has none after that is told by the planner.
func (s *Session) infoWithLeader(ctx context.Context, docker *client.Client) (info system.Info, err error) {
	_ = awaitLeader(ctx, func() error {
		ctx, cancel := s.within(ctx)
		defer cancel()
		var r client.SystemInfoResult
		if r, err = docker.Info(ctx, client.InfoOptions{}); err != nil {
			err = because(ctx, err)
			return err
		}
		if info = r.Info; unled(info) {
			return errUnled
		}
		return nil
	})
	return info, err
}

// unled says that an Engine is a manager that cannot say of which swarm. One that
// could not ask the leader tells of a swarm without an id.
func unled(i system.Info) bool {
	return i.Swarm.ControlAvailable && (i.Swarm.Cluster == nil || i.Swarm.Cluster.ID == "")
}
