package provision

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// managed stands in for managers: who holds which lock, and who held it last.
type managed struct {
	mu     sync.Mutex
	holder map[string]string     // host → who
	before map[string]string     // host → who had it last
	lost   map[string]chan error // host → of who has it
	away   map[string]bool       // hosts that do not answer
}

func newManaged() *managed {
	return &managed{holder: map[string]string{}, before: map[string]string{}, lost: map[string]chan error{}, away: map[string]bool{}}
}

func (m *managed) take(ctx context.Context, host, holder string) (grip, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return grip{}, ctx.Err()
	case m.away[host]:
		return grip{}, errors.New("no answer")
	case m.holder[host] != "":
		return grip{}, &Locked{Host: host, Holder: m.holder[host]}
	}
	before := m.before[host]
	return grip{before: before, lost: m.give(host, holder), release: func() { m.free(host, holder) }}, nil
}

// give hands a lock to a holder; m.mu is held.
func (m *managed) give(host, holder string) chan error {
	m.holder[host], m.before[host], m.lost[host] = holder, holder, make(chan error, 1)
	return m.lost[host]
}

func (m *managed) free(host, holder string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holder[host] == holder {
		m.holder[host] = ""
	}
}

// cut loses what is held on hosts, and lets them be away; another, where there is
// one, then has them.
func (m *managed) cut(another string, hosts ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, host := range hosts {
		m.away[host], m.holder[host] = true, ""
		m.lost[host] <- errors.New("the connection was lost")
		if another != "" {
			m.give(host, another)
		}
	}
}

func (m *managed) back() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.away)
}

func TestALockThatIsLost(t *testing.T) {
	tests := map[string]struct {
		lose    []string // of a, b, c
		another string   // who takes those meanwhile
		gone    bool     // and has let go of them again
		back    bool     // the hosts answer again, half a minute later
		want    string   // of the wait for it; "": it is held
		took    time.Duration
		held    int // in the end
	}{
		"one of three, and nobody takes it":         {[]string{"a"}, "", false, true, "", 0, 3},
		"one of three for good":                     {[]string{"a"}, "", false, false, "", 0, 2},
		"one of three, and another has it":          {[]string{"a"}, "eve", false, true, "", 0, 2},
		"one of three, which another had meanwhile": {[]string{"a"}, "eve", true, true, "", 0, 3},
		"all, and nobody takes them":                {[]string{"a", "b", "c"}, "", false, true, "", 30 * time.Second, 3},
		"all for good":                              {[]string{"a", "b", "c"}, "", false, false, "it is held on 0 of 3 again", lockedAgainWithin, 0},
		"two, and another has them":                 {[]string{"b", "c"}, "eve", false, true, "another run has taken it since: eve", 30 * time.Second, 1},
		"all, and another had them meanwhile":       {[]string{"a", "b", "c"}, "eve", true, true, "another run has taken it since: eve", 30 * time.Second, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManaged()
				l := newLock("ann", 3, m.take)
				if err := l.takeAll(t.Context(), []string{"a", "b", "c"}); err != nil {
					t.Fatal(err)
				}
				m.cut(tt.another, tt.lose...)
				synctest.Wait()
				if tt.back {
					time.AfterFunc(30*time.Second-time.Millisecond, m.back)
				}
				if tt.gone {
					time.AfterFunc(10*time.Second, func() {
						for _, host := range tt.lose {
							m.free(host, tt.another)
						}
					})
				}
				began := time.Now()
				err := l.await(t.Context())
				if took := time.Since(began).Round(time.Second); took != tt.took {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
				if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				time.Sleep(time.Minute)
				if n := m.count("ann"); n != tt.held {
					t.Errorf("it is held on %d, want %d", n, tt.held)
				}
				l.letGo()
				if n := m.count("ann"); n != 0 {
					t.Errorf("%d are held after all was let go", n)
				}
			})
		})
	}
}

// A laptop that was closed finds its locks gone, or not: in its connections there may
// be nothing yet that says so.
func TestALockAfterASleep(t *testing.T) {
	for _, another := range []string{"", "eve"} {
		t.Run("taken by "+another, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManaged()
				l := newLock("ann", 3, m.take)
				defer l.letGo()
				if err := l.takeAll(t.Context(), []string{"a", "b", "c"}); err != nil {
					t.Fatal(err)
				}
				l.seen = l.seen.Add(-time.Minute) // and the monotonic clock stood still
				if another != "" {
					for _, host := range []string{"a", "b", "c"} {
						m.give(host, another)
					}
				}
				err := l.await(t.Context())
				if taken := err != nil && strings.Contains(err.Error(), "another run has taken it since: eve"); taken != (another != "") {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func (m *managed) count(holder string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, h := range m.holder {
		if h == holder {
			n++
		}
	}
	return n
}
