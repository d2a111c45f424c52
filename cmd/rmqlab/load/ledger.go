package load

import (
	"cmp"
	"sync"
	"time"
)

// ledger has an entry for each message.
type ledger struct {
	say func(string, ...any)

	mu       sync.Mutex
	began    time.Time
	ended    time.Time // of the load; zero while it is on
	queues   []string
	isThere  []bool  // by number: confirmed
	came     []uint8 // by number: how often it was consumed, up to 255
	there    int     // confirmed
	unasked  int     // consumed and not confirmed
	open     int     // confirmed and not consumed
	counts   struct{ consumed, duplicated, republished, returned, reconnects int }
	confirms clock // of all queues together
	takes    clock
	byQueue  []struct{ confirms, takes clock }
}

func newLedger(queues []string, say func(string, ...any)) *ledger {
	now := time.Now()
	l := &ledger{say: say, began: now, queues: queues}
	l.confirms, l.takes = clock{last: now}, clock{last: now}
	for range queues {
		l.byQueue = append(l.byQueue, struct{ confirms, takes clock }{clock{last: now}, clock{last: now}})
	}
	return l
}

// published opens the entry of the next message.
func (l *ledger) published(number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reach(number)
}

// reach makes entries up to that number: a message can be back before its entry is opened.
func (l *ledger) reach(number int) {
	for len(l.isThere) <= number {
		l.isThere, l.came = append(l.isThere, false), append(l.came, 0)
	}
}

func (l *ledger) confirmed(number int, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reach(number)
	if l.ended.IsZero() {
		q := number % len(l.queues)
		l.tell("publisher", "", l.confirms.tick(now))
		l.tell("publisher", l.queues[q], l.byQueue[q].confirms.tick(now))
	}
	if l.isThere[number] {
		return
	}
	l.isThere[number] = true
	l.there++
	if l.came[number] == 0 {
		l.open++
	} else {
		l.unasked--
	}
}

func (l *ledger) consumed(number int, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reach(number)
	l.counts.consumed++
	if l.ended.IsZero() {
		q := number % len(l.queues)
		l.tell("consumer", "", l.takes.tick(now))
		l.tell("consumer", l.queues[q], l.byQueue[q].takes.tick(now))
	}
	if l.came[number] < 255 {
		l.came[number]++
	}
	switch {
	case l.came[number] > 1:
		l.counts.duplicated++
	case l.isThere[number]:
		l.open--
	default:
		l.unasked++
	}
}

func (l *ledger) republished() { l.count(&l.counts.republished) }
func (l *ledger) returned()    { l.count(&l.counts.returned) }
func (l *ledger) reconnects()  { l.count(&l.counts.reconnects) }

func (l *ledger) count(n *int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*n++
}

// tell tells a pause of one queue, or of all with "".
func (l *ledger) tell(side, queue string, p Pause) {
	if p.Length() >= worthTelling && (queue == "" || p.Length() >= worthTellingOfOne) {
		l.say("the %s of %s paused %.1f s", side, cmp.Or(queue, "all queues"), p.Seconds)
	}
}

// endOfLoad ends the measurement of pauses: an open one counts up to now.
func (l *ledger) endOfLoad(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = now
	l.confirms.tick(now)
	l.takes.tick(now)
	for i := range l.byQueue {
		l.byQueue[i].confirms.tick(now)
		l.byQueue[i].takes.tick(now)
	}
}

// settled says that every message is confirmed, and every one consumed.
func (l *ledger) settled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.there == len(l.isThere) && l.open == 0
}

// worthTelling is the pause that is kept in the report.
const worthTelling = 500 * time.Millisecond

// worthTellingOfOne is the pause of a single queue that is told.
const worthTellingOfOne = 2 * time.Second

// clock measures the pauses between events.
type clock struct {
	last    time.Time
	longest Pause
	pauses  []Pause // those worth telling
}

// tick notes an event, and returns the pause before it.
func (c *clock) tick(now time.Time) Pause {
	p := Pause{At: c.last, Seconds: max(0, now.Sub(c.last).Seconds())}
	c.last = now
	if p.Seconds > c.longest.Seconds {
		c.longest = p
	}
	if p.Length() >= worthTelling {
		c.pauses = append(c.pauses, p)
	}
	return p
}

// Pause is a time in which nothing was confirmed, or nothing consumed.
type Pause struct {
	At      time.Time `json:"at"` // when it began
	Seconds float64   `json:"seconds"`
}

// Length is how long the pause was.
func (p Pause) Length() time.Duration { return time.Duration(p.Seconds * float64(time.Second)) }
