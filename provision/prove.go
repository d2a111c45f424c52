package provision

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/rmqprov/rmqprov/playbooks"
)

// proveAMQP publishes a message with a confirm through one host's port and
// consumes it through another's, on a quorum queue that is gone afterwards.
// It goes through SSH to the port on the host, so no firewall need be open.
func (s *Session) proveAMQP(ctx context.Context, stack playbooks.Stack, p playbooks.Proof, in, out *machine) (string, error) {
	password, err := s.proofPassword(ctx, stack, p)
	if err != nil {
		return "", err
	}
	publisher, err := dialAMQP(ctx, in, p, password)
	if err != nil {
		return "", err
	}
	defer publisher.Close()
	consumer, err := dialAMQP(ctx, out, p, password)
	if err != nil {
		return "", err
	}
	defer consumer.Close()
	began := time.Now()
	if err := roundTrip(ctx, publisher, consumer); err != nil {
		return "", fmt.Errorf("in through %s, out through %s: %w", in.Name, out.Name, because(ctx, err))
	}
	return fmt.Sprintf("published with confirm through %s, consumed through %s in %d ms", in.Name, out.Name, time.Since(began).Milliseconds()), nil
}

func (s *Session) proofPassword(ctx context.Context, stack playbooks.Stack, p playbooks.Proof) (string, error) {
	if p.Secret == "" {
		return "", nil
	}
	return s.Secret(ctx, stack, p.Secret)
}

// dialAMQP makes a connection that ends with ctx. The AMQP client itself waits
// without a bound for a broker that takes the connection and says nothing.
func dialAMQP(ctx context.Context, m *machine, p playbooks.Proof, password string) (*amqp.Connection, error) {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port))
	conn, err := amqp.DialConfig("amqp://"+addr, amqp.Config{
		SASL:      []amqp.Authentication{&amqp.PlainAuth{Username: p.User, Password: password}},
		Heartbeat: 10 * time.Second, Locale: "en_US",
		Dial: func(string, string) (net.Conn, error) {
			conn, err := m.ssh.Dial(ctx, "tcp", addr)
			if err == nil {
				context.AfterFunc(ctx, func() { conn.Close() })
			}
			return conn, err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("AMQP to port %d on %s: %w", p.Port, m.Name, because(ctx, err))
	}
	return conn, nil
}

func roundTrip(ctx context.Context, publisher, consumer *amqp.Connection) error {
	in, err := publisher.Channel()
	if err != nil {
		return err
	}
	// The broker itself removes the queue where this run dies before it can.
	name := "rmqprov.verify." + rand.Text()
	arguments := amqp.Table{"x-queue-type": "quorum", "x-expires": int32(60_000)}
	if _, err := in.QueueDeclare(name, true, false, false, false, arguments); err != nil {
		return fmt.Errorf("declaring a quorum queue: %w", err)
	}
	defer in.QueueDelete(name, false, false, false)
	if err := in.Confirm(false); err != nil {
		return err
	}
	confirm, err := in.PublishWithDeferredConfirmWithContext(ctx, "", name, true, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(name)})
	if err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	if acked, err := confirm.WaitContext(ctx); err != nil || !acked {
		return fmt.Errorf("the message was not confirmed: %w", err)
	}
	return receive(ctx, consumer, name)
}

func receive(ctx context.Context, consumer *amqp.Connection, name string) error {
	out, err := consumer.Channel()
	if err != nil {
		return err
	}
	deliveries, err := out.ConsumeWithContext(ctx, name, "", false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consuming: %w", err)
	}
	select {
	case d, open := <-deliveries:
		if !open || string(d.Body) != name {
			return fmt.Errorf("another message came back than was sent")
		}
		return d.Ack(false)
	case <-ctx.Done():
		return fmt.Errorf("the message did not come back: %w", ctx.Err())
	}
}

// proveHTTP asks for a path through a host's port and wants 200.
func (s *Session) proveHTTP(ctx context.Context, stack playbooks.Stack, p playbooks.Proof, m *machine) (string, error) {
	password, err := s.proofPassword(ctx, stack, p)
	if err != nil {
		return "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port))
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return m.ssh.Dial(ctx, "tcp", addr) }}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+p.Path, nil)
	if err != nil {
		return "", err
	}
	if p.User != "" {
		request.SetBasicAuth(p.User, password)
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s on port %d of %s answers %s", p.Path, p.Port, m.Name, answer.Status)
	}
	return "answers " + answer.Status, nil
}
