// Package remote reaches hosts over SSH: one connection a host for a whole
// run, and on it commands, files, the Docker API and tunnels.
//
// A [Host] dials on first use, keeps the connection alive, and dials again
// when it was lost. What ran on a lost connection fails with a [LostError];
// nothing is repeated behind the caller's back, since only the caller knows
// which of its steps are idempotent. [IsTransient] is the one place that
// decides which errors are worth another try.
//
// Host keys are always verified. Secrets (key passphrases, the sudo password,
// what callers put on stdin) never reach a command line, an environment, a log
// or an error.
package remote

import (
	"context"
	"time"

	"golang.org/x/crypto/ssh"
)

// HostKeyPolicy says what to do with a host whose key is not known yet. A key
// that differs from the known one is refused under every policy.
type HostKeyPolicy string

// The host key policies. The zero value takes ssh_config's
// StrictHostKeyChecking, and without it is KnownHosts.
const (
	// KnownHosts refuses a host that known_hosts does not name.
	KnownHosts HostKeyPolicy = "known_hosts"
	// AcceptNew trusts the first key that a host shows and records it.
	AcceptNew HostKeyPolicy = "accept-new"
)

// Target says how to reach a host. Zero fields fall back to the SSH
// configuration, then to OpenSSH's defaults.
type Target struct {
	// Name is what errors call the host; without an Address it is also
	// what is looked up in ssh_config and dialled.
	Name string
	// Address is what `ssh ADDRESS` would take: a name, an IP address or an
	// alias of ssh_config.
	Address string
	User    string
	Port    int

	// Identity is a private key file. When it is set, no other key is
	// offered: a full agent would use up the server's MaxAuthTries.
	Identity string
	// Passphrase is asked for the passphrase of an encrypted key file, at
	// most once a file in the life of the process, and only when a server
	// would accept that key and no agent holds it. The time it takes does
	// not count as DialTimeout.
	Passphrase func(path string) ([]byte, error)

	// Push lets a key log in as user for the time of a dial. Where it is set,
	// each dial makes a key of its own that never leaves the process, and no
	// other key is offered. Bastions are not asked by it.
	Push func(ctx context.Context, user string, key ssh.PublicKey) error

	HostKeys HostKeyPolicy
	// KnownHosts replaces ssh_config's UserKnownHostsFile; new keys are
	// appended to it under AcceptNew.
	KnownHosts string
	// Pinned says that HostKeys and KnownHosts are for this host alone: its
	// bastions are checked as ssh_config says.
	Pinned bool

	// Jump is a list of bastions, [user@]host[:port] with commas between,
	// the first being the first to be dialled. It overrides ProxyJump;
	// "none" goes directly.
	Jump string
	// ConfigFile replaces ~/.ssh/config and /etc/ssh/ssh_config; "none"
	// reads no configuration.
	ConfigFile string

	// SudoPassword is given to sudo where it asks for one.
	SudoPassword string

	// DialTimeout bounds a whole dial, the SSH handshake with it, but not
	// the dial of a bastion. Zero: ssh_config's ConnectTimeout, then 10 s.
	DialTimeout time.Duration

	// hopIdentity is the key a bastion is offered when ssh_config names
	// none for it: the one of the host behind it.
	hopIdentity string
}

// title is how errors call the host before its settings are known.
func (t Target) title() string {
	if t.Name != "" {
		return t.Name
	}
	return t.Address
}
