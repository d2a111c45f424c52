package provision

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/sim"
)

// A proof ends with its time where a broker takes the connection and says nothing,
// as one does that is just starting, or that has lost its majority.
func TestProofThroughASilentBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := sound(t, 0)
	h.Forward = true
	session, err := Open(fleet(t, []*sim.Host{h}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	late := errors.New("not in time")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.ReadFull(conn, make([]byte, len("AMQP\x00\x00\x09\x01")))
		cancel(late)
		<-t.Context().Done()
	}()
	m := session.hosts[session.names[0]]
	proof := playbooks.Proof{Protocol: "amqp", Port: l.Addr().(*net.TCPAddr).Port}
	if _, err := session.proveAMQP(ctx, playbooks.Stack{}, proof, m, m); !errors.Is(err, late) {
		t.Errorf("got %v", err)
	}
}
