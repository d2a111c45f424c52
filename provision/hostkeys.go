package provision

import (
	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/cloud"
	"github.com/rmqprov/rmqprov/provision/remote"
)

// pins is the known_hosts file with the keys that the hosts' consoles showed;
// "" where host keys are not taken from there.
type pins string

func knownHosts(inv *inventory.Inventory) (pins, error) {
	if inv.SSH.HostKeys != "ec2" {
		return "", nil
	}
	file, err := cloud.KnownHostsFile(inv)
	return pins(file), err
}

// on makes a host be believed for the pinned keys and nothing else. Its bastions
// have no console that was read, and keep to the user's own files.
func (p pins) on(t remote.Target) remote.Target {
	if p != "" {
		t.HostKeys, t.KnownHosts, t.Pinned = remote.KnownHosts, string(p), true
	}
	return t
}
