// Package load publishes to and consumes from a RabbitMQ cluster through several hosts, as a
// client does that is made for their failure, and gives account of every message.
package load

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Options say what a run does.
type Options struct {
	Rate   int             // messages a second
	For    time.Duration   // how long it publishes; 0: until the context ends
	Queues int             // quorum queues that the messages are spread over
	Hosts  func() []string // "10.78.0.11:5672" …, in the order of their names; asked at every connect
	Dial   Dialer
	Say    func(format string, args ...any) // is told of lost connections and of pauses
}

const (
	// drainWithin bounds the wait for what is still unconfirmed or unconsumed when publishing has
	// ended. A member whose host lost its power is given up by the others only after some 60 s, and
	// until then they hold back what its consumers had taken and not acknowledged.
	drainWithin = 3 * time.Minute

	// connections of each side. Two for each of three hosts: the power cut of one may take those
	// through it and those of other hosts that led to its member.
	connections = 6
)

// Run puts the load on until Options.For is over or ctx ends, then waits until all that is
// confirmed is consumed, and reports. The error is about what kept it from beginning; how the
// messages fared is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	r := &run{Options: o, id: rand.Text()[:8]}
	for i := range o.Queues {
		r.queues = append(r.queues, fmt.Sprintf("rmqlab.load.%s.%d", r.id, i+1))
	}
	if err := r.once(ctx, func(l Link) error { return r.declare(l) }); err != nil {
		return nil, fmt.Errorf("declaring the queues: %w", err)
	}
	r.ledger = newLedger(r.queues, o.Say)
	r.todo = make(map[string]chan message, o.Queues)
	for _, q := range r.queues {
		r.todo[q] = make(chan message, o.Rate) // what cannot be published for a second holds the source up
	}
	return r.run(ctx)
}

type run struct {
	Options
	id     string
	queues []string
	ledger *ledger
	todo   map[string]chan message // by queue: what is to be published, or published again
}

// message is known by its number; the numbers begin at 0.
type message struct {
	number int
	again  bool // it was published before, and the answer is missing
}

func (r *run) run(ctx context.Context) (*Report, error) {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() { r.keep(working, "publisher", i, r.publish) })
		all.Go(func() { r.keep(working, "consumer", i, r.consume) })
	}
	if o := r.Options; o.For > 0 {
		limited, cancel := context.WithTimeout(ctx, o.For)
		defer cancel()
		ctx = limited
	}
	r.source(ctx)
	r.ledger.endOfLoad(time.Now())
	r.Say("publishing has ended; waiting for what is not confirmed or consumed yet")
	r.drain(working)
	stop()
	all.Wait()
	report := r.ledger.report(r.Rate)
	return report, r.tidy(context.WithoutCancel(ctx), report)
}

// source hands out messages at the rate until ctx ends. Where nobody takes them it waits, and makes
// up for two seconds of that at most.
func (r *run) source(ctx context.Context) {
	const beat = 10 * time.Millisecond
	ticks := time.NewTicker(beat)
	defer ticks.Stop()
	number, due, last := 0, 0.0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticks.C:
			due = min(due+now.Sub(last).Seconds()*float64(r.Rate), 2*float64(r.Rate))
			last = now
		}
		for ; due >= 1; due-- {
			select {
			case r.todo[r.queues[number%len(r.queues)]] <- message{number: number}:
				r.ledger.published(number)
				number++
			case <-ctx.Done():
				return
			}
		}
	}
}

// drain waits until every message is confirmed and every confirmed one consumed.
func (r *run) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainWithin)
	defer cancel()
	for !r.ledger.settled() && pause(ctx, 100*time.Millisecond) {
	}
}

// once does something by a connection of its own, through the first host that lets it.
func (r *run) once(ctx context.Context, do func(Link) error) error {
	var failed error
	for _, host := range r.Hosts() {
		link, err := r.Dial(ctx, host)
		if err == nil {
			err = do(link)
			link.Close()
		}
		if err == nil {
			return nil
		}
		failed = errors.Join(failed, fmt.Errorf("through %s: %w", host, err))
	}
	if failed == nil {
		return errors.New("there is no host to connect to")
	}
	return failed
}

func (r *run) declare(l Link) error {
	for _, q := range r.queues {
		if err := l.Declare(q); err != nil {
			return err
		}
	}
	return nil
}

// tidy deletes the queues, unless messages are missing: then they are left as evidence.
func (r *run) tidy(ctx context.Context, report *Report) error {
	if report.Lost > 0 {
		return nil
	}
	err := r.once(ctx, func(l Link) error {
		for _, q := range r.queues {
			if err := l.Delete(q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("all messages are accounted for, but the queues rmqlab.load.%s.* could not be deleted: %w", r.id, err)
	}
	return nil
}

// pause waits, and says whether it could: false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
