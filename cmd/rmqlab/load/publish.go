package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

const (
	// confirmWithin is how long a connection with unconfirmed messages may be without any answer
	// before it is given up: the host is alive, and what it leads to is not. Much sooner, and what
	// an overloaded cluster confirms late would be published again, which overloads it more.
	confirmWithin = 5 * time.Second

	// watchEvery is how often a connection is looked at.
	watchEvery = 50 * time.Millisecond

	// window bounds the unconfirmed messages of a connection and queue, and so what is published
	// again when it fails. RabbitMQ reads no more from a connection when 400 publishes wait for one
	// of its channels: with a larger window, a queue without a leader would hold up all others.
	window = 200
)

// publish works for the queues by one connection until that fails, or leave ends and all that it
// published is answered. What is unanswered then goes back, for another connection to publish.
func (r *run) publish(ctx, leave context.Context, link Link) error {
	conn, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d := &watchdog{}
	var lanes []*lane
	for _, q := range r.queues {
		out, err := link.Publish(q)
		if err != nil {
			return err
		}
		lanes = append(lanes, &lane{run: r, queue: q, link: link, out: out, dog: d, ended: ctx.Done(), waiting: map[uint64]message{}, room: make(chan struct{}, window)})
	}
	var all sync.WaitGroup
	for _, l := range lanes {
		all.Go(func() { cancelWith(cancel, l.send(conn, leave)) })
		all.Go(func() { cancelWith(cancel, l.hear(conn)) })
	}
	err := d.watch(conn, leave, link)
	cancel(err)
	link.Close()
	all.Wait()
	if cause := context.Cause(conn); err == nil && cause != context.Canceled {
		err = cause
	}
	for _, l := range lanes {
		l.giveBack()
	}
	return err
}

func cancelWith(cancel context.CancelCauseFunc, err error) {
	if err != nil {
		cancel(err)
	}
}

// lane publishes to one queue by one connection.
type lane struct {
	run   *run
	queue string
	link  Link
	out   Outbox
	dog   *watchdog
	ended <-chan struct{} // closed with the run
	room  chan struct{}   // holds an entry for each unanswered message

	mu      sync.Mutex
	sent    uint64
	waiting map[uint64]message // by tag
}

func (l *lane) send(ctx, leave context.Context) error {
	for {
		select {
		case l.room <- struct{}{}:
		case <-leave.Done():
			return nil
		case <-ctx.Done():
			return nil
		}
		for l.link.Blocked() {
			if !pause(ctx, watchEvery) {
				return nil
			}
		}
		select {
		case m := <-l.run.todo[l.queue]:
			if err := l.put(m); err != nil {
				return err
			}
		case <-leave.Done():
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func (l *lane) put(m message) error {
	l.mu.Lock()
	l.sent++
	l.waiting[l.sent] = m
	l.mu.Unlock()
	l.dog.expects()
	if m.again {
		l.run.ledger.republished()
	}
	if err := l.out.Send(l.run.body(m.number)); err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	return nil
}

// hear takes the broker's answers. A refused or returned message is published again.
func (l *lane) hear(ctx context.Context) error {
	answers, returned := l.out.Answers(), l.out.Returned()
	for {
		select {
		case a, open := <-answers:
			if !open {
				return errClosed
			}
			l.answer(a)
		case body, open := <-returned:
			if !open {
				returned = nil
				continue
			}
			if n, ok := l.run.number(body); ok {
				l.run.ledger.returned()
				l.again(message{number: n})
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (l *lane) answer(a Answer) {
	l.mu.Lock()
	m, ok := l.waiting[a.Tag]
	delete(l.waiting, a.Tag)
	l.mu.Unlock()
	if !ok {
		return
	}
	<-l.room
	l.dog.heard()
	if a.Has {
		l.run.ledger.confirmed(m.number, time.Now())
	} else {
		l.again(m)
	}
}

// again puts a message back without waiting: whoever would take it may be this very goroutine.
func (l *lane) again(m message) {
	m.again = true
	go func() {
		select {
		case l.run.todo[l.queue] <- m:
		case <-l.ended:
		}
	}()
}

func (l *lane) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.waiting {
		l.again(m)
	}
}

// watchdog notices a connection that answers no more.
type watchdog struct {
	mu      sync.Mutex
	waiting int       // unanswered messages
	since   time.Time // of the last answer, or of the first message that waits for one
}

func (d *watchdog) expects() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting == 0 {
		d.since = time.Now()
	}
	d.waiting++
}

func (d *watchdog) heard() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting--
	d.since = time.Now()
}

// excuse lets the time without an answer begin anew: the broker has said why it
// does not answer.
func (d *watchdog) excuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.since = time.Now()
}

func (d *watchdog) state() (waiting int, silent time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting, time.Since(d.since)
}

// watch returns when the connection is lost or silent for too long, or, once it is to be left,
// when everything is answered.
func (d *watchdog) watch(ctx, leave context.Context, link Link) error {
	ticks := time.NewTicker(watchEvery)
	defer ticks.Stop()
	for {
		select {
		case <-link.Lost():
			return errClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticks.C:
		}
		if link.Blocked() {
			d.excuse()
		}
		waiting, silent := d.state()
		if waiting > 0 && silent > confirmWithin {
			return fmt.Errorf("%d messages are unconfirmed and there was no answer for %s", waiting, confirmWithin)
		}
		if waiting == 0 && leave.Err() != nil {
			return nil
		}
	}
}

// bodySize is that of a small message, in bytes.
const bodySize = 64

// body is what a message of that number looks like: the run's id, the number, and padding.
func (r *run) body(number int) []byte {
	body := make([]byte, bodySize)
	copy(body, r.id)
	binary.BigEndian.PutUint64(body[8:], uint64(number))
	return body
}

// number is that of a message, and whether it is one of this run's.
func (r *run) number(body []byte) (int, bool) {
	if len(body) != bodySize || string(body[:8]) != r.id {
		return 0, false
	}
	return int(binary.BigEndian.Uint64(body[8:])), true
}
