package remote

import (
	"context"
	"sync"
)

// pathLocks lets one goroutine at a time write a file of a host: it removes
// what a killed run has left beside the file, and must not take another's.
type pathLocks struct {
	mu    sync.Mutex
	gates map[string]gate
}

func (l *pathLocks) lock(ctx context.Context, path string) (unlock func(), err error) {
	l.mu.Lock()
	if l.gates == nil {
		l.gates = map[string]gate{}
	}
	g, ok := l.gates[path]
	if !ok {
		g = newGate()
		l.gates[path] = g
	}
	l.mu.Unlock()
	if err := g.enter(ctx); err != nil {
		return nil, err
	}
	return g.leave, nil
}
