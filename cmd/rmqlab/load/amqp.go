package load

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sys/unix"
)

const (
	// heartbeat is short because a host without power closes no connection.
	heartbeat = 2 * time.Second

	// ackWithin is how long the other host's kernel may take to acknowledge what was sent. One
	// without power never does, while a broker that is merely slow is on a host that does.
	ackWithin = 2 * time.Second

	// connectWithin bounds TCP's part of a connect, and openWithin all of it.
	connectWithin = time.Second
	openWithin    = 5 * time.Second

	// prefetch bounds what a consumer of a queue holds unacknowledged.
	prefetch = 200
)

// Login is who connects, and to which virtual host.
type Login struct{ User, Password, VHost string }

// Dial is the Dialer of real brokers.
func (l Login) Dial(ctx context.Context, host string) (Link, error) {
	var raw net.Conn
	conn, err := amqp.DialConfig("amqp://"+host, amqp.Config{
		SASL:  []amqp.Authentication{&amqp.PlainAuth{Username: l.User, Password: l.Password}},
		Vhost: l.VHost, Heartbeat: heartbeat, Locale: "en_US",
		Dial: func(network, address string) (c net.Conn, err error) {
			dialer := net.Dialer{Timeout: connectWithin, Control: limitAcks}
			if c, err = dialer.DialContext(ctx, network, address); err == nil {
				raw = c
				err = c.SetDeadline(time.Now().Add(openWithin)) // lifted when the connection is open
			}
			return c, err
		},
	})
	if err != nil {
		return nil, err
	}
	a := &amqpLink{conn: conn, raw: raw, lost: make(chan struct{})}
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		<-closed
		close(a.lost)
	}()
	blockings := conn.NotifyBlocked(make(chan amqp.Blocking))
	go func() {
		for b := range blockings {
			a.blocked.Store(b.Active)
		}
	}()
	return a, nil
}

// limitAcks sets TCP_USER_TIMEOUT on a socket.
func limitAcks(_, _ string, c syscall.RawConn) (err error) {
	failed := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(ackWithin.Milliseconds()))
	})
	return errors.Join(failed, err)
}

type amqpLink struct {
	conn *amqp.Connection
	raw  net.Conn
	lost chan struct{}
	once sync.Once

	blocked atomic.Bool

	consuming []consumer
}

type consumer struct {
	channel *amqp.Channel
	tag     string
}

func (a *amqpLink) Blocked() bool { return a.blocked.Load() }

func (a *amqpLink) Lost() <-chan struct{} { return a.lost }

// Close takes the cable away: an orderly close would wait for a host that may be dead.
func (a *amqpLink) Close() { a.once.Do(func() { a.raw.Close() }) }

// Leave cannot fail in a way that matters: where the connection is lost, deliveries end too.
func (a *amqpLink) Leave() {
	for _, c := range a.consuming {
		_ = c.channel.Cancel(c.tag, false)
	}
}

func (a *amqpLink) Declare(queue string) error {
	ch, err := a.conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	_, err = ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	return err
}

func (a *amqpLink) Delete(queue string) error {
	ch, err := a.conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	_, err = ch.QueueDelete(queue, false, false, false)
	return err
}

func (a *amqpLink) Publish(queue string) (Outbox, error) {
	// A channel for each queue: the library hands out confirms in the order of tags, so that on a
	// common one a queue without a leader would hold up the confirms of all others.
	ch, err := a.conn.Channel()
	if err != nil {
		return nil, err
	}
	if err := ch.Confirm(false); err != nil {
		return nil, err
	}
	out := &amqpOutbox{queue: queue, channel: ch, answers: make(chan Answer, window), returned: make(chan []byte, window)}
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, window))
	returns := ch.NotifyReturn(make(chan amqp.Return, window))
	go func() {
		defer close(out.answers)
		for c := range confirms {
			out.answers <- Answer{Tag: c.DeliveryTag, Has: c.Ack}
		}
	}()
	go func() {
		defer close(out.returned)
		for r := range returns {
			out.returned <- r.Body
		}
	}()
	return out, nil
}

type amqpOutbox struct {
	queue    string
	channel  *amqp.Channel
	answers  chan Answer
	returned chan []byte
}

func (o *amqpOutbox) Send(body []byte) error {
	return o.channel.Publish("", o.queue, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
}

func (o *amqpOutbox) Answers() <-chan Answer  { return o.answers }
func (o *amqpOutbox) Returned() <-chan []byte { return o.returned }

func (a *amqpLink) Consume(queue string) (<-chan Delivery, error) {
	ch, err := a.conn.Channel()
	if err != nil {
		return nil, err
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return nil, err
	}
	from, err := ch.Consume(queue, queue, false, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	a.consuming = append(a.consuming, consumer{ch, queue})
	to := make(chan Delivery)
	go func() {
		defer close(to)
		for d := range from {
			to <- Delivery{Body: d.Body, Ack: func() error { return d.Ack(false) }}
		}
	}()
	return to, nil
}
