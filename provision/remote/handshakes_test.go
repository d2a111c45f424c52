package remote

import (
	"testing"
	"time"
)

// A dial waits while as many handshakes as are allowed are under way, and its
// time limit does not run meanwhile.
func TestHandshakesAreBounded(t *testing.T) {
	s := newServer(t)
	target := s.target()
	target.DialTimeout = time.Second
	for range cap(handshakes) {
		handshakes <- struct{}{}
	}
	leave := func() { <-handshakes }
	connected := make(chan error, 1)
	go func() {
		h, err := Dial(t.Context(), target)
		if err == nil {
			h.Close()
		}
		connected <- err
	}()
	select {
	case err := <-connected:
		t.Errorf("it shook hands beside %d others: %v", cap(handshakes), err)
	case <-time.After(target.DialTimeout + 300*time.Millisecond):
	}
	leave()
	must(t, <-connected)
	for range cap(handshakes) - 1 {
		leave()
	}
}
