package main

import (
	"context"
	"os"
	"sync"
)

// interrupts turns signals into the end of a run. As long as a listener is
// set, the first one is told to it and only the second ends the context.
type interrupts struct {
	mu     sync.Mutex
	gentle func()
	cancel context.CancelFunc
}

// watch returns a context that an interrupt ends.
func watch(signals <-chan os.Signal) (context.Context, *interrupts) {
	ctx, cancel := context.WithCancel(context.Background())
	i := &interrupts{cancel: cancel}
	go func() {
		for {
			select {
			case <-signals:
				i.receive()
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, i
}

// receive tells the listener under the lock, so that nobody who takes a listener
// back still has it at work.
func (i *interrupts) receive() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.gentle == nil {
		i.cancel()
		return
	}
	i.gentle()
	i.gentle = nil
}

// gently has the next interrupt told to f, and not end the run. nil takes
// that back. f must not call gently.
func (i *interrupts) gently(f func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.gentle = f
}

func (i *interrupts) end() { i.cancel() }
