package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// echo listens and sends back what comes.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

func TestTunnel(t *testing.T) {
	checkLeaks(t)
	s := newServer(t)
	h := s.host()
	c, err := h.Dial(t.Context(), "tcp", echo(t))
	must(t, err)
	must(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	must(t, c.SetReadDeadline(time.Time{}))
	sent := strings.Repeat("0123456789", 100_000)
	go func() {
		io.WriteString(c, sent)
		c.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || string(got) != sent {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	c.Close()
}

func TestTunnelErrors(t *testing.T) {
	checkLeaks(t)
	s := newServer(t)
	h := s.host()
	_, err := h.Dial(t.Context(), "tcp", "127.0.0.1:1")
	if err == nil || !strings.Contains(err.Error(), "does something listen there") || !IsTransient(err) {
		t.Error(err)
	}
	c, err := h.Dial(t.Context(), "tcp", echo(t))
	must(t, err)
	defer c.Close()
	s.drop()
	if _, err := io.ReadAll(c); !IsTransient(err) || !strings.Contains(err.Error(), "the connection was lost") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Dial(ctx, "tcp", echo(t)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
