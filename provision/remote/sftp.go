package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/pkg/sftp"
)

const createNew = os.O_WRONLY | os.O_CREATE | os.O_EXCL

// sftpServerPaths is where systems keep OpenSSH's SFTP server; sshd_config is
// asked after these.
var sftpServerPaths = []string{
	"/usr/lib/openssh/sftp-server",     // Debian, Ubuntu
	"/usr/libexec/openssh/sftp-server", // Amazon Linux, RHEL, Fedora
	"/usr/lib/ssh/sftp-server",         // Alpine, Arch, SUSE
	"/usr/libexec/sftp-server",
	"/usr/lib/misc/sftp-server",
}

// runSFTPServer becomes the first SFTP server found: the arguments, then
// sshd_config. It is how root's files are written: sshd itself would run the
// server as the login user.
const runSFTPServer = `for s in "$@" $(sed -n 's/^[[:space:]]*[Ss]ubsystem[[:space:]]\{1,\}sftp[[:space:]]\{1,\}\(\/[^[:space:]]*\).*/\1/p' /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf 2>/dev/null); do
	[ -x "$s" ] && exec "$s"
done
echo "no sftp-server on this host (looked for $* and in sshd_config): install OpenSSH's (openssh-sftp-server on Debian, openssh-server elsewhere)" >&2
exit 127`

// sftpSession is an SFTP client and the process that it speaks to.
type sftpSession struct {
	client *sftp.Client
	conn   *stream
	p      *process
	sudo   bool
}

// filePool keeps one idle SFTP session a connection: starting one costs a
// process on the host. It holds a slot, so it is closed when one is wanted.
type filePool struct {
	mu   sync.Mutex
	idle *sftpSession
}

func (f *filePool) take(sudo bool) *sftpSession {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.idle
	if s == nil || s.sudo != sudo {
		return nil
	}
	f.idle = nil
	return s
}

func (f *filePool) put(s *sftpSession) {
	f.mu.Lock()
	old := f.idle
	f.idle = s
	f.mu.Unlock()
	old.close()
}

func (f *filePool) closeIdle() { f.put(nil) }

func (s *sftpSession) close() {
	if s == nil {
		return
	}
	s.conn.Close()
	s.client.Close()
}

// sftp returns a session of its own for the caller, who ends it by during.
func (h *Host) sftp(ctx context.Context, sudo bool) (*sftpSession, error) {
	conn, err := h.connection(ctx)
	if err != nil {
		return nil, err
	}
	sudo = sudo && conn.user != "root"
	if s := conn.files.take(sudo); s != nil {
		return s, nil
	}
	s, err := h.startSFTP(ctx, conn, sudo)
	if _, none := errors.AsType[*ExitError](err); none && !sudo {
		s, err = subsystemSFTP(ctx, conn)
	}
	if err != nil {
		return nil, named(conn.who, "starting SFTP", err)
	}
	return s, nil
}

// startSFTP runs the server as a command: under sudo there is no other way, and
// for the login user it is the one that bears with noise of rc files.
func (h *Host) startSFTP(ctx context.Context, conn *connection, sudo bool) (*sftpSession, error) {
	c := Command{Script: runSFTPServer, Argv: h.sftpServers, Stdin: noInput{}, Sudo: sudo, Name: "sftp-server"}
	l, err := conn.prepare(ctx, c)
	if err != nil {
		return nil, err
	}
	p, err := conn.begin(ctx, l)
	if err != nil {
		return nil, err
	}
	return p.speakSFTP(ctx)
}

// subsystemSFTP asks sshd for the server: it may have one built in.
func subsystemSFTP(ctx context.Context, conn *connection) (*sftpSession, error) {
	s, err := conn.open(ctx, false)
	if err != nil {
		return nil, err
	}
	p, err := conn.follow(s, launch{name: "SFTP"}, "subsystem", "sftp")
	if err != nil {
		return nil, err
	}
	return p.speakSFTP(ctx)
}

// noInput stands for a stdin that is written to later.
type noInput struct{}

func (noInput) Read([]byte) (int, error) { return 0, io.EOF }

// speakSFTP starts the protocol on a process.
func (p *process) speakSFTP(ctx context.Context) (*sftpSession, error) {
	conn := p.stream()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	client, err := sftp.NewClientPipe(conn, halfCloser{conn}, sftp.UseConcurrentWrites(true))
	if err != nil {
		defer conn.Close()
		return nil, p.sftpError(ctx, err)
	}
	return &sftpSession{client: client, conn: conn, p: p, sudo: p.sudo}, nil
}

// sftpError prefers what the far side said to the protocol's error, which is
// mostly an EOF.
func (p *process) sftpError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if failure := p.endOfStream(); failure != nil {
		return failure
	}
	return fmt.Errorf("speaking SFTP: %w", err)
}

// during does something with a session, which is closed when that fails or ctx
// ends, and otherwise kept for the next.
func (s *sftpSession) during(ctx context.Context, doing string, do func() error) error {
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	err := do()
	inTime := stop()
	who := s.p.conn.who
	switch {
	case err == nil && inTime:
		s.p.conn.files.put(s)
		return nil
	case err == nil:
		s.close()
		return nil
	}
	s.close()
	if ctx.Err() != nil {
		return named(who, doing, context.Cause(ctx))
	}
	if errors.Is(err, sftp.ErrSSHFxConnectionLost) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &LostError{Who: who, Doing: doing, Err: err}
	}
	return named(who, doing, err)
}

// halfCloser closes the sending direction only.
type halfCloser struct{ *stream }

func (h halfCloser) Close() error { return h.CloseWrite() }
