package state

import (
	"encoding/json"
	"fmt"
	"net/netip"
)

// Survivor is what a manager knows of its swarm without any other manager.
type Survivor struct {
	Start    SwarmStart
	Managers []Manager // that the swarm last had, itself among them
}

// Manager is a manager of a swarm as another one knows it.
type Manager struct {
	NodeID  string
	Address netip.AddrPort
	Answers bool // its port takes connections from the survivor
}

// SwarmStart is how an Engine began to take part in its swarm, and does so again
// whenever it starts.
type SwarmStart struct {
	Listen       string // "0.0.0.0:2377"
	Advertise    string // "10.0.0.11:2377"
	DataPath     string // address for the overlay networks' traffic; "" is that of Advertise
	DataPathPort int    // known where the swarm was begun, 0 where it was joined
}

// ParseSwarmStart reads an Engine's swarm/docker-state.json, where it keeps how
// it takes part.
func ParseSwarmStart(text []byte) (SwarmStart, error) {
	var is struct {
		ListenAddr, AdvertiseAddr, DataPathAddr string
		DataPathPort                            int
	}
	if err := json.Unmarshal(text, &is); err != nil {
		return SwarmStart{}, fmt.Errorf("docker-state.json: %w", err)
	}
	if is.ListenAddr == "" || is.AdvertiseAddr == "" {
		return SwarmStart{}, fmt.Errorf("docker-state.json does not say where the Engine listens: %s", clip(string(text)))
	}
	return SwarmStart{Listen: is.ListenAddr, Advertise: is.AdvertiseAddr, DataPath: is.DataPathAddr, DataPathPort: is.DataPathPort}, nil
}

// ParseManagers reads an Engine's swarm/state.json, where it keeps the managers
// that it has last heard of.
func ParseManagers(text []byte) ([]Manager, error) {
	var are []struct {
		NodeID string         `json:"node_id"`
		Addr   netip.AddrPort `json:"addr"`
	}
	if err := json.Unmarshal(text, &are); err != nil {
		return nil, fmt.Errorf("state.json: %w", err)
	}
	var managers []Manager
	for _, m := range are {
		managers = append(managers, Manager{NodeID: m.NodeID, Address: m.Addr})
	}
	return managers, nil
}
