package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

func TestIsTransient(t *testing.T) {
	connect := func(err error) error { return &ConnectError{Who: "n", Doing: "connecting", Err: err} }
	op := func(err error) error { return &net.OpError{Op: "dial", Err: err} }
	for _, tt := range []struct {
		name      string
		err       error
		transient bool
		atBoot    bool
	}{
		{"none", nil, false, false},
		{"refused", connect(op(syscall.ECONNREFUSED)), true, true},
		{"reset", connect(op(syscall.ECONNRESET)), true, true},
		{"no route", connect(op(syscall.EHOSTUNREACH)), true, true},
		{"cut handshake", connect(fmt.Errorf("ssh: handshake failed: %w", io.EOF)), true, true},
		{"dial timeout", connect(fmt.Errorf("%w (10s)", errDialTimeout)), true, true},
		{"no such name", connect(&net.DNSError{Err: "no such host", IsNotFound: true}), false, false},
		{"resolver in trouble", connect(&net.DNSError{Err: "server misbehaving", IsTemporary: true}), true, true},
		{"lost", &LostError{Err: errNoStatus}, true, true},
		{"lost since we closed it", &LostError{Err: errClosed}, false, false},
		{"lost under SFTP", fmt.Errorf("writing: %w", sftp.ErrSSHFxConnectionLost), true, true},
		{"host behind a bastion boots", fmt.Errorf("tunnel: %w", &ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "Connection refused"}), true, true},
		{"forwarding forbidden", fmt.Errorf("tunnel: %w", &ssh.OpenChannelError{Reason: ssh.Prohibited, Message: "administratively prohibited"}), false, false},
		{"login refused", &AuthError{Err: errors.New("ssh: unable to authenticate")}, false, true},
		{"login refused while booting", &AuthError{Err: io.EOF, Banner: "System is booting up. Unprivileged users are not permitted to log in yet."}, true, true},
		{"changed key", &HostKeyError{Reason: "changed"}, false, false},
		{"sudo", &SudoError{}, false, false},
		{"status", &ExitError{Status: 1}, false, false},
		{"too much output", &OutputError{}, false, false},
		{"cancelled", fmt.Errorf("stopped: %w", context.Canceled), false, false},
		{"the caller's time limit", context.DeadlineExceeded, false, false},
		{"something else", errors.New("x"), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if IsTransient(tt.err) != tt.transient || MayPassAtBoot(tt.err) != tt.atBoot {
				t.Errorf("transient %v, at boot %v", IsTransient(tt.err), MayPassAtBoot(tt.err))
			}
		})
	}
}
