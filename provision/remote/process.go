package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	stderrKept  = 16 << 10 // bytes of stderr that are kept where the caller takes none
	noiseLimit  = 1 << 20  // bytes that may come before the marker
	stopGrace   = 3 * time.Second
	signalGrace = 100 * time.Millisecond
	closeNotice = 250 * time.Millisecond
)

// The shell that sshd starts is the user's, and its rc files may print before
// the command does. So every command starts with a marker, and what comes
// before it is dropped. The marker also tells an error of sudo, which comes
// without it, from one of the command, and it names the processes to stop.
//
// Each prologue is run by sh -c with the marker's token as first argument and
// the command's own arguments after it.
const (
	announce = `PATH=$PATH:/usr/local/bin:/usr/local/sbin:/usr/sbin:/sbin; printf '\036%s\036' "$1"; shift; `
	// skipPassword drops what sudo left of the password. sudo reads its line
	// where it asks; where it does not ask, the line must not reach the command.
	skipPassword = `while IFS= read -r l && [ "$l" != "$1" ]; do :; done; unset l; `

	runArgv = `exec "$@"`
	// The script is read whole before it runs, so nothing in it can eat it.
	runScript = `eval "$(cat)"`
	// With the caller's stdin behind it the script is the first line; read
	// takes not a byte more.
	runScriptAndStdin = `IFS= read -r s; s=$(printf %s "$s" | base64 -d); eval "$s"`
)

// launch is how a command starts.
type launch struct {
	line   string // the command line
	token  string
	input  []byte // goes to stdin before the caller's
	sudo   bool
	docker bool // counts as a Docker connection
	name   string
}

// process is a command that runs on a host.
type process struct {
	conn *connection
	ch   *session
	launch
	out    *markedReader
	stderr *tailBuffer

	ended  chan struct{} // closed when the host has closed the channel
	exited chan struct{} // closed when the exit status is known or will not come
	said   chan struct{} // closed when a stream has all of stderr, which a child may hold open
	status exitStatus    // valid once exited is closed

	closing sync.Once
}

type exitStatus struct {
	known  bool
	code   int
	signal string
}

// newToken returns a word that occurs nowhere else.
func newToken() string {
	b := make([]byte, 9)
	rand.Read(b)
	return "rmqprov-" + base64.RawURLEncoding.EncodeToString(b)
}

// prologue returns the words that run argv, or the script with argv as its
// arguments, after the marker.
func prologue(c Command, token string, password bool) []string {
	text := announce + runArgv
	switch {
	case c.Script != "" && c.Stdin != nil:
		text = announce + runScriptAndStdin
	case c.Script != "":
		text = announce + runScript
	}
	if password {
		text = skipPassword + text
	}
	return append([]string{"sh", "-c", text, "sh", token}, c.Argv...)
}

// scriptInput is the script as its prologue reads it.
func scriptInput(c Command) []byte {
	switch {
	case c.Script == "":
		return nil
	case c.Stdin != nil:
		return []byte(base64.StdEncoding.EncodeToString([]byte(c.Script)) + "\n")
	}
	return []byte(c.Script)
}

// begin starts l. The exec request asks for no answer: that saves a round trip,
// and a refusal shows as a channel that ends without a status.
func (c *connection) begin(ctx context.Context, l launch) (*process, error) {
	s, err := c.open(ctx, l.docker)
	if err != nil {
		return nil, err
	}
	return c.follow(s, l, "exec", l.line)
}

// follow sends the request that starts something on a session and watches it.
func (c *connection) follow(s *session, l launch, request, argument string) (*process, error) {
	p := &process{conn: c, ch: s, launch: l, stderr: &tailBuffer{limit: stderrKept},
		ended: make(chan struct{}), exited: make(chan struct{}), said: make(chan struct{})}
	p.out = newMarkedReader(s.Channel, l.token)
	go p.watch()
	if _, err := s.SendRequest(request, false, ssh.Marshal(struct{ Text string }{argument})); err != nil {
		p.close()
		c.fail(err)
		return nil, c.lost("")
	}
	return p, nil
}

// watch takes the exit status and gives the slot back when the host, which
// counts too, has closed the channel.
func (p *process) watch() {
	exited := false
	for r := range p.ch.requests {
		if !exited && p.status.take(r) {
			exited = true
			close(p.exited)
		}
		if r.WantReply {
			r.Reply(false, nil)
		}
	}
	if !exited {
		close(p.exited)
	}
	close(p.ended)
	p.ch.release()
}

// take reads what a request says about the exit; false when it says nothing.
func (s *exitStatus) take(r *ssh.Request) bool {
	switch {
	case r.Type == "exit-status" && len(r.Payload) >= 4:
		s.known, s.code = true, int(binary.BigEndian.Uint32(r.Payload))
		return true
	case r.Type == "exit-signal":
		var m struct {
			Signal     string
			CoreDumped bool
			Error      string
			Lang       string
		}
		if ssh.Unmarshal(r.Payload, &m) == nil {
			s.known, s.code, s.signal = true, 128+signalNumbers[m.Signal], m.Signal
		}
		return s.known
	}
	return false
}

var signalNumbers = map[string]int{"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9, "USR1": 10,
	"SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15}

// feed sends the launch's own input and then the caller's, and then the end of
// input. It ends when the channel does.
func (p *process) feed(stdin io.Reader) {
	if len(p.input) > 0 {
		if _, err := p.ch.Write(p.input); err != nil {
			return
		}
	}
	if stdin != nil {
		io.Copy(p.ch, stdin) // an error means that the command reads no more; its status tells why
	}
	p.ch.CloseWrite()
}

// failure says how a command that has exited failed, or nil.
func (p *process) failure(stdout []byte) error {
	switch {
	case !p.status.known:
		return p.lost()
	case !p.out.seen.Load():
		return p.notStarted(stdout)
	case p.status.code == 0:
		return nil
	}
	return &ExitError{Who: p.conn.who, Command: p.name, Status: p.status.code, Signal: p.status.signal, Stderr: tail(p.stderr.Bytes())}
}

// lost is the error of a command whose channel ended without an exit status.
func (p *process) lost() error {
	select {
	case <-p.conn.down:
		return p.conn.lost(p.name)
	case <-time.After(closeNotice): // the channels of a lost connection end a moment before it is known
	}
	return &LostError{Who: p.conn.who, Doing: p.name, Err: errNoStatus}
}

var errNoStatus = errors.New("it ended without an exit status, as when sshd is killed or the host goes down")

// notStarted is the error of a command whose marker never came: sudo refused,
// or the host runs something else for this user.
func (p *process) notStarted(stdout []byte) error {
	said := strings.TrimSpace(tail(stdout) + "\n" + tail(p.stderr.Bytes()))
	if p.sudo && p.status.code != 0 {
		return sudoError(p.conn.who, said)
	}
	e := &ExitError{Who: p.conn.who, Command: p.name, Status: p.status.code, Stderr: said}
	e.Advice = "The command itself did not start: has this key a forced command there, is this the right user, is there a POSIX sh?"
	return e
}

// close ends the channel from this side; the command sees its pipes close.
func (p *process) close() { p.closing.Do(func() { p.ch.Close() }) }

// stop tells the command to end, waits a little, and closes the channel. It
// returns false when the command may still run.
func (p *process) stop() bool {
	defer p.close()
	if p.signal() {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	go p.conn.terminate(ctx, p.token, p.sudo)
	select {
	case <-p.exited:
		return true
	case <-p.conn.down:
	case <-ctx.Done():
	}
	return false
}

// signal asks sshd to signal the command's process group, and returns whether
// that ended it. sshd does so from OpenSSH 7.9 on, and as the login user: of a
// command under sudo it would reach sudo alone, and leave behind what that runs.
func (p *process) signal() bool {
	if p.sudo && p.conn.user != "root" {
		return false
	}
	p.ch.SendRequest("signal", false, ssh.Marshal(struct{ Text string }{"TERM"}))
	select {
	case <-p.exited:
		return true
	case <-p.conn.down:
	case <-time.After(signalGrace):
	}
	return false
}

// markedReader drops what comes before the marker.
type markedReader struct {
	r      io.Reader
	mark   []byte
	head   []byte // read and not yet given out
	passed bool   // the marker was seen, or will not come
	seen   atomic.Bool
	err    error
}

func newMarkedReader(r io.Reader, token string) *markedReader {
	m := &markedReader{r: r, mark: []byte("\x1e" + token + "\x1e"), passed: token == ""}
	m.seen.Store(m.passed)
	return m
}

func (m *markedReader) Read(p []byte) (int, error) {
	for !m.passed {
		m.search()
	}
	if len(m.head) > 0 {
		n := copy(p, m.head)
		if m.head = m.head[n:]; len(m.head) == 0 {
			m.head = nil // its array is not needed any more
		}
		return n, nil
	}
	if m.err != nil {
		return 0, m.err
	}
	return m.r.Read(p)
}

// search reads once more and looks for the marker. What was read without one is
// given out in the end: it may be all there is to explain a failure.
func (m *markedReader) search() {
	chunk := make([]byte, 4096)
	n, err := m.r.Read(chunk)
	m.head = append(m.head, chunk[:n]...)
	if i := bytes.Index(m.head, m.mark); i >= 0 {
		m.head = m.head[i+len(m.mark):]
		m.passed = true
		m.seen.Store(true)
	}
	if err != nil || len(m.head) > noiseLimit {
		m.err, m.passed = err, true
	}
}

// tailBuffer keeps the end of what is written to it.
type tailBuffer struct {
	limit int
	mu    sync.Mutex
	b     []byte
}

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - t.limit; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tailBuffer) Bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.b)
}
