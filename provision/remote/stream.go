package remote

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// farEnd is what a stream carries bytes to and from: an SSH channel.
type farEnd interface {
	io.ReadWriter
	CloseWrite() error
	Close() error
}

// stream is a net.Conn over an SSH channel. A channel knows no deadlines, and a
// Read on it returns only when the host says so; so each direction goes through
// a pipe that knows both.
type stream struct {
	in, out net.Conn
	local   net.Addr
	remote  net.Addr
	far     farEnd
	// explain says why the far end is at its end: nil for a plain end.
	explain func() error
	closed  atomic.Bool
}

var _ net.Conn = (*stream)(nil)

// The sizes in bytes of the buffers through which output is copied. io.Copy's
// own of 32 KiB, three for each Docker connection, would be most of the memory
// that a thousand hosts take.
const (
	copySize   = 8 << 10
	stderrSize = 1 << 10
)

// newStream sends first, if there is something, before what is written. Only
// one goroutine may write to an SSH channel or end its input.
func newStream(first []byte, far farEnd, local, remote net.Addr, explain func() error) *stream {
	in, inFar := net.Pipe()
	out, outFar := net.Pipe()
	s := &stream{in: in, out: out, local: local, remote: remote, far: far, explain: explain}
	go func() {
		io.CopyBuffer(inFar, far, make([]byte, copySize))
		inFar.Close()
	}()
	go func() {
		_, err := far.Write(first)
		if err == nil {
			_, err = io.CopyBuffer(far, outFar, make([]byte, copySize))
		}
		if err == nil {
			far.CloseWrite()
		}
		outFar.Close()
	}()
	return s
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	return n, s.reason(err, io.EOF)
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.out.Write(p)
	return n, s.reason(err, syscall.EPIPE)
}

// reason replaces the errors of the pipe's end. plain is what a far end without
// a reason gives.
func (s *stream) reason(err, plain error) error {
	if err != io.EOF && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	if s.closed.Load() {
		return net.ErrClosed
	}
	if why := s.explain(); why != nil {
		return why
	}
	return plain
}

// CloseWrite sends the end of input; what was written before goes first.
func (s *stream) CloseWrite() error { return s.out.Close() }

func (s *stream) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.in.Close()
	s.out.Close()
	s.far.Close()
	return nil
}

func (s *stream) LocalAddr() net.Addr  { return s.local }
func (s *stream) RemoteAddr() net.Addr { return s.remote }

func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.in.SetReadDeadline(t), s.out.SetWriteDeadline(t))
}

func (s *stream) SetReadDeadline(t time.Time) error  { return s.in.SetReadDeadline(t) }
func (s *stream) SetWriteDeadline(t time.Time) error { return s.out.SetWriteDeadline(t) }

// processAddr is the address of a command's stdin and stdout.
type processAddr struct{ host, name string }

func (a processAddr) Network() string { return "ssh" }
func (a processAddr) String() string  { return a.host + "/" + a.name }

// farProcess is the far end that is a command.
type farProcess struct{ *process }

func (f farProcess) Read(p []byte) (int, error)  { return f.out.Read(p) }
func (f farProcess) Write(p []byte) (int, error) { return f.ch.Write(p) }
func (f farProcess) CloseWrite() error           { return f.ch.CloseWrite() }
func (f farProcess) Close() error                { f.process.close(); return nil }

// stream makes a net.Conn of the command's stdin and stdout. What the command
// must read first is sent first; stderr is kept for the error.
func (p *process) stream() *stream {
	go func() {
		io.CopyBuffer(p.stderr, p.ch.Stderr(), make([]byte, stderrSize))
		close(p.said)
	}()
	return newStream(p.input, farProcess{p}, processAddr{"localhost", p.name}, processAddr{p.conn.who, p.name}, p.endOfStream)
}

// endOfStream says why the command's output is at its end, nil for a command
// that ended well. The exit status comes right after the output.
func (p *process) endOfStream() error {
	select {
	case <-p.exited:
	case <-p.conn.down:
	case <-time.After(drainGrace):
		return nil
	}
	if p.conn.isDown() {
		return p.conn.lost(p.name)
	}
	select {
	case <-p.said:
	case <-time.After(drainGrace):
	}
	return p.failure(nil)
}
