// Package hosts makes the lab's hosts: containers that are whole machines, with systemd as
// PID 1, sshd, a sudo user and the distribution's package manager, and nothing of rmqprov's.
//
// What is true about a lab is read from its engine: labels on the containers hold what a
// container cannot tell. There is no state file.
package hosts

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
)

// User is the account that every host has, with passwordless sudo and the lab's key.
const User = "ec2-user"

// Host is one machine of a lab.
type Host struct {
	Name     string     `json:"name"`
	State    State      `json:"state"`
	Address  netip.Addr `json:"address"`
	OS       string     `json:"os"`
	Instance string     `json:"instance"` // EC2 instance id
	Zone     string     `json:"zone"`     // EC2 availability zone
	// HostKeys are the public SSH host keys as in an authorized_keys file: "ssh-ed25519 AAAA…".
	HostKeys []string `json:"-"`

	container string
	image     string
	pid       int // of the host's PID 1, on the machine
}

// State is what a host is doing.
type State string

const (
	Running    State = "running"
	Killed     State = "killed"     // power cut
	Frozen     State = "frozen"     // every process stopped, network still up
	Cut        State = "cut"        // running, without a network
	Unfinished State = "unfinished" // never powered on: its making was interrupted
)

const (
	labelLab      = "rmqlab.lab"
	labelSubnet   = "rmqlab.subnet"
	labelHost     = "rmqlab.host"
	labelAddress  = "rmqlab.address"
	labelOS       = "rmqlab.os"
	labelZone     = "rmqlab.zone"
	labelInstance = "rmqlab.instance"
	labelHostKeys = "rmqlab.hostkeys" // separated by newlines
)

// Lab is a set of hosts on one network of the lab's engine.
type Lab struct {
	Engine *engine.Engine
	Name   string
	Subnet netip.Prefix // IPv4; hosts start at .11
}

// Open returns the lab of that name, with the subnet of its network when it has one already.
func Open(ctx context.Context, e *engine.Engine, name string) (*Lab, error) {
	l := &Lab{Engine: e, Name: name}
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("%q is no name for a lab: letters, digits and dashes, please", name)
	}
	out, err := e.Docker(ctx, "network", "ls", "--filter", "label="+labelLab+"="+name, "--format", `{{.Label "`+labelSubnet+`"}}`)
	if err != nil || out == "" {
		return l, err
	}
	l.Subnet, err = netip.ParsePrefix(out)
	return l, err
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// ChooseSubnet settles the subnet: what the lab has, else what is asked for, else a default.
func (l *Lab) ChooseSubnet(asked, byDefault netip.Prefix) error {
	switch {
	case l.Subnet.IsValid() && asked.IsValid() && l.Subnet != asked:
		return fmt.Errorf("lab %q runs on subnet %s, not %s: leave --subnet out, or run `rmqlab down` first", l.Name, l.Subnet, asked)
	case l.Subnet.IsValid():
	case asked.IsValid() && !asked.Addr().Is4():
		return fmt.Errorf("--subnet %s: the lab's network is IPv4", asked)
	case asked.IsValid():
		l.Subnet = asked.Masked()
	default:
		l.Subnet = byDefault
	}
	return nil
}

// Container is the name of a host's container, for the docker client.
func (l *Lab) Container(h Host) string { return h.container }

// Hosts lists the lab's hosts by name, running or not.
func (l *Lab) Hosts(ctx context.Context) ([]Host, error) {
	ids, err := l.Engine.Docker(ctx, "container", "ls", "--all", "--quiet",
		"--filter", "label="+labelLab+"="+l.Name, "--filter", "label="+labelHost)
	if err != nil || ids == "" {
		return nil, err
	}
	out, err := l.Engine.Docker(ctx, append([]string{"container", "inspect"}, strings.Fields(ids)...)...)
	if err != nil {
		return nil, err
	}
	return parseHosts([]byte(out), isCut)
}

// Host returns the host of that name; the error lists the names there are.
func (l *Lab) Host(ctx context.Context, name string) (Host, error) {
	all, err := l.Hosts(ctx)
	if err != nil {
		return Host{}, err
	}
	names := make([]string, len(all))
	for i, h := range all {
		if h.Name == name {
			return h, nil
		}
		names[i] = h.Name
	}
	if len(names) == 0 {
		return Host{}, fmt.Errorf("lab %q has no hosts: start it with `rmqlab up`", l.Name)
	}
	return Host{}, fmt.Errorf("lab %q has no host %q, only %s", l.Name, name, strings.Join(names, ", "))
}

// inspected is what parseHosts reads of `docker container inspect`.
type inspected struct {
	ID    string `json:"Id"`
	State struct {
		Status string
		Pid    int
	}
	Config struct {
		Image  string
		Labels map[string]string
	}
}

// parseHosts reads `docker container inspect`; isCut tells of a running host, by its PID 1,
// whether its network is cut.
func parseHosts(inspect []byte, isCut func(pid int) bool) ([]Host, error) {
	var all []inspected
	if err := json.Unmarshal(inspect, &all); err != nil {
		return nil, fmt.Errorf("reading docker container inspect: %w", err)
	}
	found := make([]Host, len(all))
	for i, c := range all {
		labels := c.Config.Labels
		address, err := netip.ParseAddr(labels[labelAddress])
		if err != nil {
			return nil, fmt.Errorf("container %s: label %s: %w", c.ID, labelAddress, err)
		}
		found[i] = Host{
			Name:      labels[labelHost],
			State:     hostState(c.State.Status, func() bool { return isCut(c.State.Pid) }),
			Address:   address,
			OS:        labels[labelOS],
			Instance:  labels[labelInstance],
			Zone:      labels[labelZone],
			HostKeys:  strings.Split(labels[labelHostKeys], "\n"),
			container: c.ID,
			image:     c.Config.Image,
			pid:       c.State.Pid,
		}
	}
	slices.SortFunc(found, func(a, b Host) int { return compareNames(a.Name, b.Name) })
	return found, nil
}

func hostState(status string, isCut func() bool) State {
	switch {
	case status == "created":
		return Unfinished
	case status == "paused":
		return Frozen
	case status != "running":
		return Killed
	case isCut():
		return Cut
	}
	return Running
}

// compareNames orders node-2 before node-10.
func compareNames(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
