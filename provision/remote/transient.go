package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/pkg/sftp"
)

// IsTransient says whether the same call may succeed when it is made again
// soon: the connection was lost, the host refuses or does not answer as one
// that boots, its sshd cut the handshake (MaxStartups), a timeout. A refused
// login, a host key that is not the known one, a failed command and a context
// that the caller ended are final.
//
// It is the only place that decides this.
func IsTransient(err error) bool {
	if err == nil || isFinal(err) {
		return false
	}
	if auth, ok := errors.AsType[*AuthError](err); ok {
		return bannerOfBooting(auth.Banner)
	}
	if _, ok := errors.AsType[*LostError](err); ok {
		return true
	}
	return isTransientCause(err)
}

// MayPassAtBoot says whether an error may pass on a host that was started a
// moment ago: beside what is transient anyway, a refused login, since sshd
// answers before cloud-init has written the authorized keys.
func MayPassAtBoot(err error) bool {
	_, refused := errors.AsType[*AuthError](err)
	return refused || IsTransient(err)
}

func isFinal(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errClosed) {
		return true
	}
	if _, ok := errors.AsType[*HostKeyError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*SudoError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*ExitError](err); ok {
		return true
	}
	_, ok := errors.AsType[*OutputError](err)
	return ok
}

var transientCauses = []error{
	errDialTimeout, errTooManySessions,
	io.EOF, io.ErrUnexpectedEOF, os.ErrDeadlineExceeded,
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE,
	syscall.EHOSTUNREACH, syscall.EHOSTDOWN, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.ETIMEDOUT,
	sftp.ErrSSHFxConnectionLost,
}

func isTransientCause(err error) bool {
	for _, cause := range transientCauses {
		if errors.Is(err, cause) {
			return true
		}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsTemporary || dns.IsTimeout
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return true
	}
	return refusedThroughBastion(err)
}

// refusedThroughBastion recognises what a bastion's sshd says of a host behind
// it that does not answer: OpenSSH passes on the error's text and no number.
func refusedThroughBastion(err error) bool {
	open, ok := openChannelError(err)
	if !ok {
		return false
	}
	text := strings.ToLower(open.Message)
	return strings.Contains(text, "refused") || strings.Contains(text, "timed out") ||
		strings.Contains(text, "no route") || strings.Contains(text, "unreachable")
}

// bannerOfBooting recognises pam_nologin, which refuses users between sshd's
// start and the end of the boot, and before a shutdown.
func bannerOfBooting(banner string) bool {
	return strings.Contains(banner, "booting up") || strings.Contains(banner, "pam_nologin") || strings.Contains(banner, "going down")
}

// connectAdvice says what to do about a connection that did not come about.
func connectAdvice(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "The machine answers but nothing listens there: is sshd running (it may still boot), and is the port right?"
	case errors.Is(err, errDialTimeout), errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "Is the machine up, the address right, and is port 22 open to this machine (security group, firewall, VPN)?"
	case strings.Contains(err.Error(), `it said "Not allowed at this time"`):
		return "sshd lets nobody in from this machine for a while, after logins from here that failed or broke off (PerSourcePenalties in its sshd_config): wait a minute; its log on the host names what it counted"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		return "sshd cut the handshake: it may be starting, or refuse more logins at once (MaxStartups)"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "Correct the address, or give the name an entry in DNS, /etc/hosts or ssh_config"
	}
	return ""
}
