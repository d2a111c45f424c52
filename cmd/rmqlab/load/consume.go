package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// consume takes from all queues by one connection until that fails or is to be left. What it had
// taken and not acknowledged when it failed the broker gives to others.
func (r *run) consume(ctx, leave context.Context, link Link) error {
	failed := make(chan error, len(r.queues))
	var all sync.WaitGroup
	for _, q := range r.queues {
		deliveries, err := link.Consume(q)
		if err != nil {
			return err
		}
		all.Go(func() {
			failed <- r.take(deliveries)
			for range deliveries { // so that the other end can finish
			}
		})
	}
	err := r.tend(ctx, leave, link, failed)
	link.Close()
	all.Wait()
	return err
}

func (r *run) tend(ctx, leave context.Context, link Link, failed <-chan error) error {
	select {
	case <-link.Lost():
		return errClosed
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	case <-leave.Done():
	}
	link.Leave()
	for range r.queues {
		if err := <-failed; err != errClosed {
			return err
		}
	}
	return nil
}

var errClosed = errors.New("the connection was closed")

// take acknowledges what comes after it is in the books: otherwise a message could be gone at the
// broker and here.
func (r *run) take(deliveries <-chan Delivery) error {
	for d := range deliveries {
		n, ok := r.number(d.Body)
		if !ok {
			return fmt.Errorf("a message of %d bytes came that this run did not publish", len(d.Body))
		}
		r.ledger.consumed(n, time.Now())
		if err := d.Ack(); err != nil {
			return fmt.Errorf("acknowledging: %w", err)
		}
	}
	return errClosed
}
