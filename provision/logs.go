package provision

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// LogLine is one line that a container said.
type LogLine struct {
	Time      time.Time // by the clock of its host
	Host      string
	Service   string // as the swarm knows it: STACK_SERVICE
	Container string // its id
	Text      string
}

// LogOptions say which lines are wanted.
type LogOptions struct {
	Since  time.Time // zero: from the beginning
	Tail   int       // so many of the last lines of each container; negative: all
	Follow bool      // go on with what is said from now on, until the context ends
}

// maxLogs bounds what is kept of one host's logs before it is shown, in bytes.
const maxLogs = 256 << 20

// Logs tells what the containers of services said, those that have ended too,
// merged in the order of time. The hosts are asked themselves, so that it works
// without the swarm's majority; one that does not answer is told to warn, and
// holds up nobody. tell and warn are called by one goroutine at a time.
func (s *Session) Logs(ctx context.Context, services []string, o LogOptions, tell func(LogLine), warn func(host string, err error)) error {
	var mu sync.Mutex
	var lines []LogLine
	var all sync.WaitGroup
	for _, name := range s.names {
		all.Go(func() {
			said, err := s.hostLogs(ctx, s.hosts[name], services, o)
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, said...)
			if err != nil && ctx.Err() == nil {
				warn(name, err)
			}
		})
	}
	all.Wait()
	inOrder(lines, tell)
	if !o.Follow || ctx.Err() != nil {
		return ctx.Err()
	}
	return s.follow(ctx, services, lastOf(lines), tell, warn)
}

// inOrder tells lines by their time.
func inOrder(lines []LogLine, tell func(LogLine)) {
	slices.SortStableFunc(lines, func(a, b LogLine) int { return a.Time.Compare(b.Time) })
	for _, l := range lines {
		tell(l)
	}
}

// lastOf says when each container said its last line.
func lastOf(lines []LogLine) map[string]time.Time {
	last := map[string]time.Time{}
	for _, l := range lines {
		last[l.Container] = l.Time
	}
	return last
}

// hostLogs reads what the containers of one host have said. They are read one
// after the other: a connection to Docker is a session of sshd, which has few.
func (s *Session) hostLogs(ctx context.Context, m *machine, services []string, o LogOptions) ([]LogLine, error) {
	if err := m.ssh.Connect(ctx); err != nil {
		return nil, err
	}
	containers, err := s.saidBy(ctx, m, services, true)
	if err != nil {
		return nil, err
	}
	var lines []LogLine
	size := 0
	for _, c := range containers {
		err := s.read(ctx, m.docker, c, client.ContainerLogsOptions{Since: logTime(o.Since), Tail: tailOf(o.Tail)}, func(l LogLine) error {
			lines = append(lines, l)
			if size += len(l.Text); size > maxLogs {
				return fmt.Errorf("they are more than %d MiB; ask for fewer with --since or --tail", maxLogs>>20)
			}
			return nil
		})
		if err != nil {
			return lines, fmt.Errorf("reading the logs of %s: %w", c.service, err)
		}
	}
	return lines, nil
}

func logTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

func tailOf(n int) string {
	if n < 0 {
		return "all"
	}
	return strconv.Itoa(n)
}

// saidBy lists the containers of services on a host.
func (s *Session) saidBy(ctx context.Context, m *machine, services []string, ended bool) ([]place, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	const label = "com.docker.swarm.service.name"
	found, err := m.docker.ContainerList(ctx, client.ContainerListOptions{All: ended, Filters: filter("label", label)})
	if err != nil {
		return nil, because(ctx, err)
	}
	var places []place
	for _, c := range found.Items {
		if name := c.Labels[label]; slices.Contains(services, name) {
			places = append(places, place{m, name, c.ID})
		}
	}
	return places, nil
}

// read reads a container's log to its end; a log that is followed ends with the
// context or the container. One that is not followed must go on coming.
func (s *Session) read(ctx context.Context, docker *client.Client, p place, o client.ContainerLogsOptions, tell func(LogLine) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	patience := time.AfterFunc(s.patience, func() { stop(fmt.Errorf("%w within %s", errSilent, s.patience)) })
	defer patience.Stop()
	seen, err := docker.ContainerInspect(ctx, p.container, client.ContainerInspectOptions{})
	if err != nil {
		return because(ctx, err)
	}
	o.ShowStdout, o.ShowStderr, o.Timestamps = true, true, true
	log, err := docker.ContainerLogs(ctx, p.container, o)
	if err != nil {
		return because(ctx, err)
	}
	defer log.Close()
	out := &logLines{place: p, tell: tell, progress: func() { patience.Reset(s.patience) }}
	if o.Follow {
		patience.Stop()
		out.progress = func() {}
	}
	if seen.Container.Config != nil && seen.Container.Config.Tty { // without headers that tell stdout from stderr
		_, err = io.Copy(out, log)
	} else {
		_, err = stdcopy.StdCopy(out, out, log)
	}
	return because(ctx, err)
}

// logLines splits what Docker sends of a log into lines with their times.
type logLines struct {
	place    place
	tell     func(LogLine) error
	progress func()
	rest     []byte // of a line whose end is still to come
}

func (l *logLines) Write(p []byte) (int, error) {
	l.progress()
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		l.rest = rest
		if err := l.tell(l.parse(string(line))); err != nil {
			return 0, err
		}
	}
}

// parse takes the time off a line. A line without one, which Docker never
// sends, keeps the zero time and so comes first.
func (l *logLines) parse(line string) LogLine {
	out := LogLine{Host: l.place.machine.Name, Service: l.place.service, Container: l.place.container, Text: strings.TrimRight(line, "\r")}
	stamp, text, _ := strings.Cut(out.Text, " ")
	if t, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
		out.Time, out.Text = t, text
	}
	return out
}

const (
	// lookAgain is how often a host is asked for containers that are new.
	lookAgain = 2 * time.Second
	// gathered is how long followed lines wait for others that were said earlier
	// on another host.
	gathered = 300 * time.Millisecond
)

// follower gathers what is said from now on.
type follower struct {
	session  *Session
	services []string

	mu    sync.Mutex
	lines []LogLine            // not told yet
	last  map[string]time.Time // by container: of its last line
	told  map[string]string    // by host: the warning that stands
	warns []func()             // warnings not given yet
}

func (s *Session) follow(ctx context.Context, services []string, last map[string]time.Time, tell func(LogLine), warn func(string, error)) error {
	f := &follower{session: s, services: services, last: last, told: map[string]string{}}
	var all sync.WaitGroup
	defer all.Wait()
	for _, name := range s.names {
		all.Go(func() { f.host(ctx, s.hosts[name], warn) })
	}
	for pause(ctx, gathered) == nil {
		f.mu.Lock()
		lines, warns := f.lines, f.warns
		f.lines, f.warns = nil, nil
		f.mu.Unlock()
		inOrder(lines, tell)
		for _, w := range warns {
			w()
		}
	}
	return ctx.Err()
}

// host follows the containers of one host, and those that come later. A host
// that is lost is tried again.
func (f *follower) host(ctx context.Context, m *machine, warn func(string, error)) {
	var followed sync.Map // ids of containers
	var all sync.WaitGroup
	defer all.Wait()
	for ctx.Err() == nil {
		containers, err := f.session.saidBy(ctx, m, f.services, false)
		if ctx.Err() == nil {
			f.state(m.Name, err, warn)
		}
		for _, c := range containers {
			if _, begun := followed.LoadOrStore(c.container, true); !begun {
				all.Go(func() {
					defer followed.Delete(c.container)
					f.container(ctx, c)
				})
			}
		}
		_ = pause(ctx, lookAgain) // the loop sees that ctx has ended
	}
}

// state warns where a host's trouble is new.
func (f *follower) state(host string, err error, warn func(string, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if f.told[host] == "" && err != nil {
		f.warns = append(f.warns, func() { warn(host, err) })
	}
	f.told[host] = text
}

// container follows one container, on a connection of its own. Why it ends does
// not matter: the next look finds the container again, or it is gone.
func (f *follower) container(ctx context.Context, p place) {
	docker, err := dockerThrough(p.machine.ssh, &meter{})
	if err != nil {
		return
	}
	defer docker.Close()
	f.mu.Lock()
	since := f.last[p.container]
	f.mu.Unlock()
	if !since.IsZero() {
		since = since.Add(time.Nanosecond)
	}
	_ = f.session.read(ctx, docker, p, client.ContainerLogsOptions{Since: logTime(since), Follow: true}, func(l LogLine) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.lines, f.last[p.container] = append(f.lines, l), l.Time
		return nil
	})
}
