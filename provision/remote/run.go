package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	defaultMaxOutput = 4 << 20
	// drainGrace is how long output may pause after the command's end
	// before it is taken as whole: a child left in the background can hold
	// its pipes open for ever.
	drainGrace = 2 * time.Second
)

// Command is what to run on a host: Argv, or a POSIX shell Script with Argv as
// its arguments $1, $2, …
//
// A script is sent on stdin, never as an argument, so it does not show in the
// host's process list; nothing it runs can read on in it. Locale is C, and the
// sbin folders are in PATH. Output of the login shell's rc files that comes
// before the command's is dropped; what comes in its middle, or on stderr, is
// not, so a caller who parses should still frame what is his.
type Command struct {
	Script string
	Argv   []string
	// Stdin is read by the command. Run returns without waiting for a Read
	// that blocks. Secrets go this way.
	Stdin io.Reader
	// Sudo runs it as root; a user who is root already needs no sudo.
	Sudo bool
	// Name is what errors call it, by default its first words.
	Name string
	// Stdout and Stderr get a copy of the output as it arrives.
	Stdout, Stderr io.Writer
	// MaxOutput bounds what is kept of stdout and of stderr each, in bytes.
	// A command that prints more is stopped. Zero is 4 MiB; less than zero
	// keeps nothing and bounds nothing.
	MaxOutput int

	// docker makes Sudo depend on who may use Docker's socket, and counts
	// the command as a Docker connection.
	docker bool
}

// Result is how a command ended.
type Result struct {
	Stdout, Stderr []byte
	Status         int
}

// title names the command in errors by its first words, which are no secret.
func (c Command) title() string {
	if c.Name != "" {
		return c.Name
	}
	if c.Script == "" {
		return strings.Join(c.Argv[:min(2, len(c.Argv))], " ")
	}
	line, _, _ := strings.Cut(strings.TrimSpace(c.Script), "\n")
	words := strings.Fields(line)
	return "script `" + strings.Join(words[:min(3, len(words))], " ") + " …`"
}

// Run runs a command and waits for its end. A status other than 0 is an
// [ExitError], and then the Result is still whole. When ctx ends first the
// command is told to end (SIGTERM), and its error wraps the context's cause. A
// [LostError] means that the command may or may not have run.
func (h *Host) Run(ctx context.Context, c Command) (Result, error) {
	p, err := h.start(ctx, c)
	if err != nil {
		return Result{}, err
	}
	defer p.close()
	return p.run(ctx, c)
}

// start starts a command. If the connection turns out to be lost before
// anything was sent, it dials once more.
func (h *Host) start(ctx context.Context, c Command) (*process, error) {
	if c.Script == "" && len(c.Argv) == 0 {
		return nil, fmt.Errorf("%s: a command without a script and without words", h.Name())
	}
	p, err := h.startOnce(ctx, c)
	if _, lost := errors.AsType[*LostError](err); lost {
		p, err = h.startOnce(ctx, c)
	}
	return p, err
}

func (h *Host) startOnce(ctx context.Context, c Command) (*process, error) {
	conn, err := h.connection(ctx)
	if err != nil {
		return nil, err
	}
	l, err := conn.prepare(ctx, c)
	if err != nil {
		return nil, named(conn.who, c.title(), err)
	}
	p, err := conn.begin(ctx, l)
	if err != nil {
		return nil, named(conn.who, c.title(), err)
	}
	return p, nil
}

// prepare builds the command line and what stdin begins with.
func (c *connection) prepare(ctx context.Context, cmd Command) (launch, error) {
	l := launch{token: newToken(), sudo: cmd.Sudo, docker: cmd.docker, name: cmd.title()}
	var sudo []string
	ask := false
	if cmd.Sudo {
		var err error
		if sudo, ask, err = c.sudoWords(ctx); err != nil {
			return l, err
		}
	}
	if cmd.docker && len(sudo) > 0 {
		sudo = []string{"sh", "-c", throughSocket + Quote(sudo...) + ` "$@"`, "sh"}
	}
	l.line = Quote(slices.Concat([]string{"env", "LC_ALL=C"}, sudo, prologue(cmd, l.token, ask))...)
	if ask {
		l.input = []byte(c.sudo.password + "\n" + l.token + "\n")
	}
	l.input = append(l.input, scriptInput(cmd)...)
	return l, nil
}

// collector takes one of the command's output streams.
type collector struct {
	limit int
	live  io.Writer

	mu     sync.Mutex
	kept   bytes.Buffer
	last   time.Time // when something came
	sealed bool
}

func newCollector(limit int, live io.Writer) *collector {
	if limit == 0 {
		limit = defaultMaxOutput
	}
	return &collector{limit: limit, live: live}
}

var errOverLimit = errors.New("output over its limit")

func (o *collector) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sealed {
		return 0, io.ErrClosedPipe
	}
	o.last = time.Now()
	if o.live != nil {
		o.live.Write(p) // a view that fails must not fail the command
	}
	if o.limit < 0 {
		return len(p), nil
	}
	if o.kept.Len()+len(p) > o.limit {
		return 0, errOverLimit
	}
	return o.kept.Write(p)
}

// seal returns what came; nothing is taken any more, and the caller's writer is
// left alone.
func (o *collector) seal() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealed = true
	return o.kept.Bytes()
}

func (o *collector) quietSince() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

// run sees a started command to its end.
func (p *process) run(ctx context.Context, c Command) (Result, error) {
	out, errs := newCollector(c.MaxOutput, c.Stdout), newCollector(c.MaxOutput, c.Stderr)
	copied := make(chan error, 2)
	go func() { _, err := io.CopyBuffer(out, p.out, make([]byte, copySize)); copied <- err }()
	go func() {
		_, err := io.CopyBuffer(errs, io.TeeReader(p.ch.Stderr(), p.stderr), make([]byte, stderrSize))
		copied <- err
	}()
	go p.feed(c.Stdin)
	err := p.wait(ctx, copied, out, errs)
	result := Result{Stdout: out.seal(), Stderr: errs.seal()}
	if err != nil {
		return Result{}, err
	}
	result.Status = p.status.code
	return result, p.failure(result.Stdout)
}

// wait returns nil when the exit status is known and the output is whole.
func (p *process) wait(ctx context.Context, copied <-chan error, out, errs *collector) error {
	exited := p.exited
	quiet := time.NewTicker(drainGrace / 4)
	defer quiet.Stop()
	var ended time.Time
	for open := 2; open > 0 || exited != nil; {
		select {
		case err := <-copied:
			open--
			if errors.Is(err, errOverLimit) {
				p.stop()
				return &OutputError{Who: p.conn.who, Command: p.name, Limit: out.limit}
			}
		case <-exited:
			exited, ended = nil, time.Now()
		case <-quiet.C:
			since := slices.MaxFunc([]time.Time{ended, out.quietSince(), errs.quietSince()}, time.Time.Compare)
			if exited == nil && time.Since(since) > drainGrace {
				return nil
			}
		case <-ctx.Done():
			return p.cancelled(ctx)
		}
	}
	return nil
}

func (p *process) cancelled(ctx context.Context) error {
	if p.stop() {
		return fmt.Errorf("%s: %s: stopped: %w", p.conn.who, p.name, context.Cause(ctx))
	}
	return fmt.Errorf("%s: %s: told to stop, and it may still run there: %w", p.conn.who, p.name, context.Cause(ctx))
}
