package provision

import (
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/remote"
)

// mayPass says whether the same may be done when it is tried again soon: the
// connection is lost, the Engine there is just being restarted, or a manager of
// the swarm has lost the one that leads.
func mayPass(err error) bool {
	return remote.IsTransient(err) || errdefs.IsUnavailable(err) || client.IsErrConnectionFailed(err) && isStopped(err)
}

// isStopped recognises what is said of an Engine that does not run: by Docker's
// client library, which hides what the host's own client said, and by that one.
func isStopped(err error) bool {
	text := err.Error()
	return strings.Contains(text, "Cannot connect to the Docker daemon") || strings.Contains(text, "connect: connection refused") ||
		strings.Contains(text, "docker.sock: connect: no such file")
}
