package remote

import (
	"fmt"
	"time"
)

const (
	keepAliveInterval = 15 * time.Second
	keepAliveMisses   = 3
)

// watch declares the connection lost when it ends, or when the host has not
// answered a keep-alive for three intervals: a host without power says nothing,
// and TCP would go on waiting for a quarter of an hour.
func (c *connection) watch(interval time.Duration) {
	go func() { c.fail(c.client.Wait()) }()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	answered := make(chan struct{}, 1)
	misses, waiting := 0, false
	for {
		select {
		case <-c.down:
			return
		case <-answered:
			misses, waiting = 0, false
		case <-ticker.C:
			if waiting {
				misses++
			}
			if misses >= keepAliveMisses {
				c.fail(fmt.Errorf("no answer to keep-alives for %v", keepAliveMisses*interval))
				return
			}
			if !waiting {
				waiting = true
				go c.ask(answered)
			}
		}
	}
}

// ask sends one keep-alive; any answer will do, most servers answer "no".
func (c *connection) ask(answered chan<- struct{}) {
	if _, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil); err == nil {
		answered <- struct{}{}
	}
}
