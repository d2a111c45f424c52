package load

import (
	"context"
	"time"
)

// Dialer connects to a host.
type Dialer func(ctx context.Context, host string) (Link, error)

// Link is a connection to the broker.
type Link interface {
	// Declare makes a durable quorum queue.
	Declare(queue string) error
	// Delete removes a queue.
	Delete(queue string) error
	// Publish opens a way to publish to a queue.
	Publish(queue string) (Outbox, error)
	// Consume lets deliveries of a queue come, until Leave or Close.
	Consume(queue string) (<-chan Delivery, error)
	// Leave asks for no more deliveries. Those on their way still come.
	Leave()
	// Blocked says that the broker takes no messages for now, because of an alarm.
	Blocked() bool
	// Lost is closed when the connection is lost or was closed.
	Lost() <-chan struct{}
	// Close ends the connection at once; it does not wait for the other side.
	Close()
}

// Outbox publishes to one queue.
type Outbox interface {
	// Send publishes; the nth message sent is answered under tag n, beginning at 1.
	Send(body []byte) error
	// Answers are the broker's, in the order of tags; closed with the link.
	Answers() <-chan Answer
	// Returned has the bodies of messages that no queue took, though they are confirmed.
	Returned() <-chan []byte
}

// Answer is what the broker says of a message: that it has it, or that it does not.
type Answer struct {
	Tag uint64
	Has bool
}

// Delivery is a message that came back.
type Delivery struct {
	Body []byte
	Ack  func() error
}

const (
	// retryAfter is how long a connection waits that no host would take.
	retryAfter = 300 * time.Millisecond

	// homeAfter is how long a connection stays with a host that is not its own: a host that comes
	// back, or a new one, is to carry its share again.
	homeAfter = 20 * time.Second
)

// keep keeps a connection of its own up and at work until ctx ends. Connection i is at home on the
// ith host, and goes to the next ones while that does not answer.
func (r *run) keep(ctx context.Context, side string, i int, work func(ctx, leave context.Context, l Link) error) {
	for try := i; ctx.Err() == nil; {
		hosts := r.Hosts()
		host := hosts[try%len(hosts)]
		link, err := r.Dial(ctx, host)
		if err != nil {
			if try++; (try-i)%len(hosts) == 0 {
				pause(ctx, retryAfter)
			}
			continue
		}
		leave, stay := context.WithCancel(ctx)
		if try%len(hosts) != i%len(hosts) {
			leave, stay = context.WithTimeout(ctx, homeAfter)
		}
		err = work(ctx, leave, link)
		left := leave.Err() != nil
		stay()
		link.Close()
		if ctx.Err() != nil {
			return
		}
		if err == nil && left {
			try = i
			continue
		}
		r.ledger.reconnects()
		r.Say("%s %d lost its connection through %s: %v", side, i+1, host, err)
		try++
	}
}
