package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
)

// Tunnel serves a local listener with a port of the hosts, through SSH, until
// ctx ends: so a console can be reached whose port is open to nobody. Each
// connection goes to the first host that takes it, so the tunnel follows a
// service that moves. warn is told of connections that no host took.
func (s *Session) Tunnel(ctx context.Context, local net.Listener, port int, warn func(error)) error {
	stop := context.AfterFunc(ctx, func() { local.Close() })
	defer stop()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := local.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("taking connections on %s: %w", local.Addr(), err)
		}
		open.Go(func() {
			defer conn.Close()
			if err := s.forward(ctx, conn, port); err != nil && ctx.Err() == nil {
				warn(err)
			}
		})
	}
}

func (s *Session) forward(ctx context.Context, conn net.Conn, port int) error {
	far, err := s.dialPort(ctx, port)
	if err != nil {
		return err
	}
	defer far.Close()
	stop := context.AfterFunc(ctx, func() { far.Close(); conn.Close() })
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { carry(far, conn) })
	both.Go(func() { carry(conn, far) })
	both.Wait()
	return nil
}

// carry copies one direction and passes its end on. A broken connection ends
// the other direction too; there is nobody to tell.
func carry(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = to.Close()
}

// dialPort reaches a port on the first host that takes the connection.
func (s *Session) dialPort(ctx context.Context, port int) (net.Conn, error) {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	var errs []error
	for _, name := range s.names {
		conn, err := s.hosts[name].ssh.Dial(ctx, "tcp", addr)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", name, err))
	}
	return nil, fmt.Errorf("no host takes connections on port %d: %w", port, errors.Join(errs...))
}
