// Package state holds what was seen: the snapshot's types, and the parsers
// from bytes. Nothing in it decides or does anything.
package state

import (
	"net/netip"
	"time"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/provision/cloud/group"
)

// Known is a value that was asked for. Err says that the answer could not be
// had: then Value means nothing, and absence must not be read into it.
type Known[T any] struct {
	Value T
	Err   error
}

// Snapshot is everything that one observation saw.
type Snapshot struct {
	Hosts map[string]Host // by the inventory's name
	// Swarm is the swarm of the hosts as one of its managers tells it; nil when
	// no host is in a swarm.
	Swarm Known[*Swarm]
	// Group is the security group in EC2; nil where the inventory wants none.
	Group Known[*group.Seen]
}

// Host is one host as seen.
type Host struct {
	Facts  Known[Facts]
	Engine Known[*Engine] // nil: no Engine runs there

	// Unreachable says that Facts.Err is of a connection: the host is off, cut
	// off or hangs. One that answers and refuses is not unreachable.
	Unreachable bool
}

// Facts are what the operating system says, brought by one round trip.
type Facts struct {
	OS        OS
	Arch      string // as uname -m
	Hostname  string
	CloudInit string // "done", "running", "error", … or "" where cloud-init is not installed
	Addresses []netip.Prefix
	Default   netip.Addr // source address of the default route
	Resolvers []netip.Addr
	Memory    int64         // bytes
	DiskFree  int64         // bytes free under /var/lib
	Clock     int64         // seconds since 1970
	Skew      time.Duration // of the clock against the observer's: how far it is ahead
	Docker    Unit
	NodeID    string          // of the swarm node that the host is, "" where it is none; known of a stopped Engine, too
	Files     map[string]File // by path: only the paths that were asked for; absent ones are missing
}

// OS is what /etc/os-release says.
type OS struct {
	ID      string // "amzn", "debian", …
	Version string // VERSION_ID
	Like    string // ID_LIKE
	Pretty  string
}

// Unit is a systemd unit.
type Unit struct {
	Loaded  bool // a unit file exists
	Enabled bool
	Active  bool
}

// File is a file as found on a host.
type File struct {
	SHA256  string
	Mode    string // octal, as stat %a
	Owner   string
	Group   string
	Content []byte // only for files whose content was asked for
}

// Engine is a Docker Engine as its API tells.
type Engine struct {
	Version     string // "26.1.5"
	LiveRestore bool
	NodeID      string // "" outside a swarm
	SwarmState  string // "inactive", "pending", "active", "error", "locked"
	SwarmError  string
	Manager     bool
	ClusterID   string            // known to managers only
	ClusterTags map[string]string // labels of the swarm, known to managers only
	Images      map[string]bool   // references that are there
	Volumes     map[string]bool
	Owners      map[string]string // of volumes that carry rmqprov's label: the cluster
}

// Swarm is a swarm as one of its managers tells it.
type Swarm struct {
	ID       string
	Labels   map[string]string
	Nodes    []swarm.Node
	Services []swarm.Service
	Tasks    []swarm.Task
	Networks []network.Summary
	Configs  []swarm.Config
	Secrets  []swarm.Secret
}

// Node returns the node with an id.
func (s *Swarm) Node(id string) (swarm.Node, bool) {
	for _, n := range s.Nodes {
		if n.ID == id {
			return n, true
		}
	}
	return swarm.Node{}, false
}
