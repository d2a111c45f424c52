package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// lossNotice is how long the end of a tunnel waits for the news that it was the
// whole connection which ended.
const lossNotice = 10 * time.Millisecond

// Dial connects from the host to an address, for tunnels: "tcp" to host:port as
// the host sees it, "unix" to a socket that the login user may use. Tunnels do
// not count as sessions. ctx bounds the dial only.
func (h *Host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := h.dialOnce(ctx, network, addr)
	if _, lost := errors.AsType[*LostError](err); lost {
		return h.dialOnce(ctx, network, addr)
	}
	return c, err
}

func (h *Host) dialOnce(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := h.connection(ctx)
	if err != nil {
		return nil, err
	}
	far, err := conn.client.DialContext(ctx, network, addr)
	if err == nil {
		return conn.tunnel(far, addr), nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: tunnel to %s: %w", conn.who, addr, context.Cause(ctx))
	}
	if open, denied := openChannelError(err); denied {
		return nil, fmt.Errorf("%s: tunnel to %s: the host's sshd says %q (%v): does something listen there, and does sshd allow forwarding (AllowTcpForwarding)? %w",
			conn.who, addr, open.Message, open.Reason, err)
	}
	if conn.ends() {
		return nil, conn.lost("a tunnel's start to " + addr)
	}
	return nil, fmt.Errorf("%s: tunnel to %s: %w", conn.who, addr, err)
}

func (c *connection) tunnel(far net.Conn, addr string) net.Conn {
	end, ok := far.(farEnd)
	if !ok {
		return far
	}
	return newStream(nil, end, far.LocalAddr(), far.RemoteAddr(), func() error {
		if c.ends() {
			return c.lost("a tunnel to " + addr)
		}
		return nil
	})
}

// ends says whether the connection is lost, or about to be found so.
func (c *connection) ends() bool {
	select {
	case <-c.down:
		return true
	case <-time.After(lossNotice):
		return false
	}
}
