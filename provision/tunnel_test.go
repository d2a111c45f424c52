package provision

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/rmqprov/rmqprov/provision/sim"
)

// echo is a port that answers with what it is sent, in capitals.
func echo(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				said, _ := io.ReadAll(conn)
				io.WriteString(conn, strings.ToUpper(string(said)))
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// ask says something through a tunnel, and returns what comes back.
func ask(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, text)
	conn.(*net.TCPConn).CloseWrite()
	back, _ := io.ReadAll(conn) // a connection that nobody takes is cut
	return string(back)
}

// A tunnel goes on where the service is: on another host, or nowhere for a while.
func TestTunnelFollowsTheService(t *testing.T) {
	hosts := []*sim.Host{sound(t, 0), sound(t, 1), sound(t, 2)}
	for _, h := range hosts {
		h.Forward = true
		h.Closed.Store(true)
	}
	session, err := Open(fleet(t, hosts), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	local, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	warned := make(chan error, 1)
	ended := make(chan error, 1)
	port := echo(t)
	go func() { ended <- session.Tunnel(ctx, local, port, func(err error) { warned <- err }) }()
	for i, h := range []*sim.Host{hosts[1], hosts[2], hosts[0]} {
		h.Closed.Store(false)
		if got := ask(t, local.Addr().String(), "hello"); got != "HELLO" {
			t.Errorf("the service at its place %d says %q", i, got)
		}
		h.Closed.Store(true)
	}
	if got := ask(t, local.Addr().String(), "hello"); got != "" {
		t.Errorf("the service is nowhere, and says %q", got)
	}
	if err := <-warned; !strings.Contains(err.Error(), "no host takes connections on port") {
		t.Errorf("warned of %v", err)
	}
	for host, n := range session.Connections() {
		if n != 1 {
			t.Errorf("%d SSH connections to %s", n, host)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
