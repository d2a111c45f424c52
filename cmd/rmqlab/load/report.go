package load

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Report says how the messages of a run fared.
type Report struct {
	Began       time.Time `json:"began"`
	Seconds     float64   `json:"seconds"` // of publishing
	Rate        int       `json:"rate"`    // asked for, messages a second
	Published   int       `json:"published"`
	Confirmed   int       `json:"confirmed"`
	Consumed    int       `json:"consumed"`    // deliveries, with those of duplicates
	Lost        int       `json:"lost"`        // confirmed, and not consumed in the end
	Unconfirmed int       `json:"unconfirmed"` // published, and neither confirmed nor refused in the end
	Duplicated  int       `json:"duplicated"`  // deliveries of what was consumed before
	Republished int       `json:"republished"` // for want of an answer
	Returned    int       `json:"returned"`    // because there was no queue to take them
	Reconnects  int       `json:"reconnects"`

	Publisher Side `json:"publisher"`
	Consumer  Side `json:"consumer"`
}

// Side has the pauses of the publisher or of the consumer.
type Side struct {
	Longest Pause   `json:"longest"` // in which no queue had an event
	Queue   Pause   `json:"queue"`   // the longest in which a single queue had none
	Pauses  []Pause `json:"pauses"`  // all of at least half a second in which no queue had an event
}

func (l *ledger) report(rate int) *Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	r := &Report{
		Began: l.began, Seconds: l.ended.Sub(l.began).Seconds(), Rate: rate,
		Published: len(l.isThere), Confirmed: l.there, Consumed: c.consumed,
		Lost: l.open, Unconfirmed: len(l.isThere) - l.there, Duplicated: c.duplicated,
		Republished: c.republished, Returned: c.returned, Reconnects: c.reconnects,
		Publisher: Side{Longest: l.confirms.longest, Pauses: l.confirms.pauses},
		Consumer:  Side{Longest: l.takes.longest, Pauses: l.takes.pauses},
	}
	for _, q := range l.byQueue {
		r.Publisher.Queue = longer(r.Publisher.Queue, q.confirms.longest)
		r.Consumer.Queue = longer(r.Consumer.Queue, q.takes.longest)
	}
	return r
}

func longer(a, b Pause) Pause {
	if b.Seconds > a.Seconds {
		return b
	}
	return a
}

// Err is what is wrong with the run, nil where every message that was confirmed was consumed.
func (r *Report) Err() error {
	switch {
	case r.Lost > 0:
		return fmt.Errorf("%d confirmed messages are lost: they were not consumed within %s after the last was published; the queues are left as they are", r.Lost, drainWithin)
	case r.Unconfirmed > 0:
		return fmt.Errorf("%d messages were not confirmed within %s after the last was published: the cluster takes none; nothing confirmed is lost", r.Unconfirmed, drainWithin)
	case r.Confirmed == 0:
		return fmt.Errorf("no message was published in %.0f s", r.Seconds)
	}
	return nil
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "published\t%d in %.0f s: %.0f a second, %d wanted\n", r.Published, r.Seconds, float64(r.Published)/r.Seconds, r.Rate)
	fmt.Fprintf(t, "confirmed\t%d\n", r.Confirmed)
	fmt.Fprintf(t, "consumed\t%d\n", r.Consumed)
	fmt.Fprintf(t, "lost\t%d\n", r.Lost)
	fmt.Fprintf(t, "duplicated\t%d; %d were published again for want of an answer\n", r.Duplicated, r.Republished)
	fmt.Fprintf(t, "unconfirmed\t%d\n", r.Unconfirmed)
	fmt.Fprintf(t, "reconnected\t%d times\n", r.Reconnects)
	fmt.Fprintf(t, "longest pause\tpublisher %s, consumer %s\n", r.Publisher.Longest, r.Consumer.Longest)
	fmt.Fprintf(t, "of one queue\tpublisher %s, consumer %s\n", r.Publisher.Queue, r.Consumer.Queue)
	return t.Flush()
}

func (p Pause) String() string {
	return fmt.Sprintf("%.2f s at %s", p.Seconds, p.At.Format(time.TimeOnly))
}
