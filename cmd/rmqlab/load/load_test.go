package load

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// broker is a working one in memory, with the faults that a test gives it.
type broker struct {
	loses      int           // every nth message is confirmed and thrown away; 0: none
	cutsAfter  int           // a link is cut when it has taken so many messages; 0: never
	silentHost string        // whoever publishes there gets no answer
	stalls     time.Duration // 5 s after the first message nothing is answered for so long
	blocks     bool          // it says so, and stalls because of an alarm

	mu     sync.Mutex
	queues map[string]chan []byte
	taken  int
	began  time.Time
}

// stall is how long an answer waits that would be given now.
func (b *broker) stall() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.began.IsZero() {
		b.began = time.Now()
	}
	if since := time.Since(b.began) - 5*time.Second; since > 0 {
		return b.stalls - since
	}
	return 0
}

func (b *broker) dial(_ context.Context, host string) (Link, error) {
	if host == "off" {
		return nil, errors.New("no route to host")
	}
	return &fakeLink{broker: b, host: host, lost: make(chan struct{}), left: make(chan struct{})}, nil
}

type fakeLink struct {
	broker *broker
	host   string
	sent   int
	lost   chan struct{}
	left   chan struct{}
	close  sync.Once
	leave  sync.Once
}

func (l *fakeLink) Blocked() bool         { return l.broker.blocks && l.broker.stall() > 0 }
func (l *fakeLink) Lost() <-chan struct{} { return l.lost }
func (l *fakeLink) Close()                { l.close.Do(func() { close(l.lost) }) }
func (l *fakeLink) Leave()                { l.leave.Do(func() { close(l.left) }) }

func (l *fakeLink) Declare(queue string) error {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	l.broker.queues[queue] = make(chan []byte, 1<<16)
	return nil
}

func (l *fakeLink) Delete(queue string) error {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	delete(l.broker.queues, queue)
	return nil
}

func (l *fakeLink) queue(name string) chan []byte {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	return l.broker.queues[name]
}

// Consume gives a message that was not acknowledged back to the queue.
func (l *fakeLink) Consume(name string) (<-chan Delivery, error) {
	queue, out := l.queue(name), make(chan Delivery)
	go func() {
		defer close(out)
		for {
			select {
			case body := <-queue:
				select {
				case out <- Delivery{Body: body, Ack: func() error { return nil }}:
				case <-l.lost:
					queue <- body
					return
				}
			case <-l.left:
				return
			case <-l.lost:
				return
			}
		}
	}()
	return out, nil
}

func (l *fakeLink) Publish(name string) (Outbox, error) {
	return &fakeOutbox{link: l, queue: l.queue(name), answers: make(chan Answer, window)}, nil
}

type fakeOutbox struct {
	link    *fakeLink
	queue   chan []byte
	tag     uint64
	answers chan Answer
}

func (o *fakeOutbox) Answers() <-chan Answer  { return o.answers }
func (o *fakeOutbox) Returned() <-chan []byte { return nil }

// Send cuts the link, where it is to do that, between keeping a message and confirming it.
func (o *fakeOutbox) Send(body []byte) error {
	b := o.link.broker
	b.mu.Lock()
	b.taken++
	o.link.sent++
	lose, cut := b.loses > 0 && b.taken%b.loses == 0, b.cutsAfter > 0 && o.link.sent > b.cutsAfter
	b.mu.Unlock()
	if !lose {
		o.queue <- body
	}
	if cut {
		o.link.Close()
		return errors.New("broken pipe")
	}
	o.tag++
	if o.link.host != b.silentHost {
		time.Sleep(b.stall())
		o.answers <- Answer{Tag: o.tag, Has: true}
	}
	return nil
}

// runFor puts a load on a fake for a time that the test's clock makes short.
func runFor(t *testing.T, b *broker, d time.Duration, hosts ...string) (r *Report, said string) {
	t.Helper()
	b.queues = map[string]chan []byte{}
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var err error
		r, err = Run(t.Context(), Options{
			Rate: 1000, For: d, Queues: 3, Dial: b.dial, Hosts: func() []string { return hosts },
			Say: func(format string, _ ...any) { mu.Lock(); said += format + "\n"; mu.Unlock() },
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	return r, said
}

func TestRunCountsEveryMessage(t *testing.T) {
	b := &broker{}
	r, _ := runFor(t, b, 10*time.Second, "a", "b", "c")
	if r.Published < 9900 || r.Published > 10000 {
		t.Errorf("published %d in 10 s at 1000 a second", r.Published)
	}
	if r.Confirmed != r.Published || r.Consumed != r.Published || r.Lost+r.Duplicated+r.Unconfirmed+r.Reconnects != 0 || r.Err() != nil {
		t.Errorf("a faultless broker: %+v, %v", r, r.Err())
	}
	if len(b.queues) != 0 {
		t.Errorf("queues are left behind: %d", len(b.queues))
	}
}

func TestRunReportsALostMessage(t *testing.T) {
	b := &broker{loses: 4000}
	r, _ := runFor(t, b, 10*time.Second, "a", "b", "c")
	if r.Lost != 2 || r.Confirmed != r.Published {
		t.Errorf("lost %d of %d confirmed, want 2: every 4000th was confirmed and thrown away", r.Lost, r.Confirmed)
	}
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "2 confirmed messages are lost") {
		t.Errorf("the verdict is %v", err)
	}
	if len(b.queues) != 3 {
		t.Errorf("%d queues are left as evidence, want 3", len(b.queues))
	}
	var text bytes.Buffer
	if err := r.Text(&text); err != nil || !strings.Contains(text.String(), "lost           2\n") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// What was sent on a connection that broke is published again, and comes twice.
func TestRunPublishesTheUnconfirmedAgain(t *testing.T) {
	r, said := runFor(t, &broker{cutsAfter: 500}, 10*time.Second, "a", "b", "off")
	if r.Lost != 0 || r.Confirmed != r.Published || r.Err() != nil {
		t.Errorf("%+v, %v", r, r.Err())
	}
	if r.Reconnects == 0 || r.Republished == 0 || r.Duplicated == 0 || r.Duplicated > r.Republished {
		t.Errorf("%d reconnects, %d published again, %d duplicates", r.Reconnects, r.Republished, r.Duplicated)
	}
	if !strings.Contains(said, "lost its connection") {
		t.Errorf("nothing was said of it: %s", said)
	}
}

// A host that takes messages and answers nothing holds up its own connections only, and not for long.
func TestRunLeavesASilentHost(t *testing.T) {
	r, _ := runFor(t, &broker{silentHost: "b"}, 15*time.Second, "a", "b", "c")
	if r.Lost != 0 || r.Confirmed != r.Published || r.Err() != nil {
		t.Errorf("%+v, %v", r, r.Err())
	}
	if r.Reconnects == 0 || r.Publisher.Longest.Length() > time.Second {
		t.Errorf("%d reconnects; the publisher paused %s", r.Reconnects, r.Publisher.Longest)
	}
}

func TestRunMeasuresPauses(t *testing.T) {
	r, said := runFor(t, &broker{stalls: 1500 * time.Millisecond}, 15*time.Second, "a", "b")
	p := r.Publisher.Longest
	if p.Seconds < 1.4 || p.Seconds > 1.6 || p.At.Sub(r.Began).Round(time.Second) != 5*time.Second {
		t.Errorf("after 5 s nothing was answered for 1.5 s; the longest pause is %.2f s, %s after the beginning", p.Seconds, p.At.Sub(r.Began))
	}
	if len(r.Publisher.Pauses) != 1 || r.Publisher.Pauses[0] != p || !strings.Contains(said, "paused") {
		t.Errorf("listed are %v; said was %q", r.Publisher.Pauses, said)
	}
}

// A broker that says that it takes nothing for now is waited for, however long that is.
func TestRunWaitsForAnAlarm(t *testing.T) {
	r, _ := runFor(t, &broker{stalls: 3 * confirmWithin, blocks: true}, 30*time.Second, "a", "b", "c")
	if r.Lost+r.Reconnects+r.Republished != 0 || r.Confirmed != r.Published || r.Err() != nil {
		t.Errorf("%+v, %v", r, r.Err())
	}
	if p := r.Publisher.Longest.Length(); p < 14*time.Second || p > 16*time.Second {
		t.Errorf("nothing was taken for 15 s, and the publisher paused %s", p)
	}
}

func TestRunNeedsAHost(t *testing.T) {
	_, err := Run(t.Context(), Options{Rate: 1, Queues: 1, Dial: (&broker{}).dial, Hosts: func() []string { return []string{"off"} }})
	if err == nil || !strings.Contains(err.Error(), "through off: no route to host") {
		t.Errorf("got %v", err)
	}
}
