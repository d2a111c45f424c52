package remote

import (
	"context"
	"net"
)

const dockerSocket = "/var/run/docker.sock"

// throughSocket runs its arguments as they are where the user may use Docker's
// socket, and by sudo where not. The host decides, in the same round trip.
const throughSocket = `if [ -w ` + dockerSocket + ` ]; then exec "$@"; fi; exec `

// DockerDial returns a connection to the host's Docker Engine, for the HTTP API:
// a command `docker system dial-stdio` on the host, under sudo where the user
// may not use Docker's socket. It returns before that command has said anything;
// that Docker is not installed, or does not run, is the error of the first Read.
//
// ctx bounds the making of the connection, not its life.
func (h *Host) DockerDial(ctx context.Context) (net.Conn, error) {
	p, err := h.start(ctx, Command{
		Argv:   []string{"docker", "--host", "unix://" + dockerSocket, "system", "dial-stdio"},
		Name:   "docker system dial-stdio",
		Sudo:   true,
		docker: true,
	})
	if err != nil {
		return nil, err
	}
	return p.stream(), nil
}
