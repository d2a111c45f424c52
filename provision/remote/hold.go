package remote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

const (
	// heartbeat is how often Hold writes a newline to its command.
	heartbeat = 15 * time.Second
	// releaseGrace is how long a held command may take to end.
	releaseGrace = 5 * time.Second
)

// Hold starts a command that lives until release is called, such as one that
// holds a lock, and returns when it has printed its first line; ctx bounds that
// only. That line is in Stdout by then. A command that ends before is an [ExitError].
//
// Its stdin stays open until release, and gets a newline every 15 s. A command
// that must end when this program is gone can so tell that it is, even if the
// host's sshd does not notice for hours, as after a cut cable:
//
//	flock -n /run/rmqprov.lock sh -c 'echo held; while timeout 90 sh -c "read -r _"; do :; done'
//
// lost yields an error when the command ends without having been released, and
// is closed when it has ended. release waits for the command to end, up to 5 s,
// and may be called more than once.
func (h *Host) Hold(ctx context.Context, c Command) (release func(), lost <-chan error, err error) {
	c.Stdin = noInput{} // it stays open: a script must not wait for its end
	p, err := h.start(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	conn := p.stream()
	stop := context.AfterFunc(ctx, func() { p.stop(); conn.Close() })
	out := bufio.NewReader(conn)
	first, err := out.ReadString('\n')
	if !stop() {
		conn.Close()
		return nil, nil, p.cancelled(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, nil, p.earlyEnd(err)
	}
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	io.WriteString(c.Stdout, first)
	held := &hold{p: p, conn: conn, released: make(chan struct{}), gone: make(chan struct{}), lost: make(chan error, 1)}
	go held.watch(out, c.Stdout)
	go held.beat()
	return held.release, held.lost, nil
}

// earlyEnd is the error of a command that ended before its first line.
func (p *process) earlyEnd(err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	return &ExitError{Who: p.conn.who, Command: p.name, Stderr: tail(p.stderr.Bytes()), Advice: "It ended before it said that it holds"}
}

type hold struct {
	p        *process
	conn     *stream
	once     sync.Once
	released chan struct{} // closed by release
	gone     chan struct{} // closed when the command has ended
	lost     chan error
}

func (h *hold) release() {
	h.once.Do(func() {
		close(h.released)
		h.conn.CloseWrite()
	})
	select {
	case <-h.gone:
	case <-time.After(releaseGrace):
	}
	h.conn.Close()
}

// watch reads until the command ends.
func (h *hold) watch(out io.Reader, live io.Writer) {
	_, err := io.Copy(live, out)
	select {
	case <-h.released:
	default:
		if err == nil {
			err = &ExitError{Who: h.p.conn.who, Command: h.p.name, Stderr: tail(h.p.stderr.Bytes()), Advice: "It was not told to end"}
		}
		h.lost <- err
	}
	close(h.lost)
	close(h.gone)
	h.conn.Close()
}

func (h *hold) beat() {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			h.conn.Write([]byte("\n"))
		case <-h.released:
			return
		case <-h.gone:
			return
		}
	}
}
