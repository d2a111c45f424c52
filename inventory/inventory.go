// Package inventory reads the user's HCL files into one immutable value.
//
// Load says everything that can be known wrong from the files alone, all at
// once, as diagnostics with file, line and the way out. It touches no host.
package inventory

import (
	"io/fs"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Inventory is what the user wants, as the files say it. It is never changed
// after Load: facts about real hosts live in package state.
type Inventory struct {
	Dir           string // folder that relative paths in the files start from
	Cluster       Cluster
	SSH           SSH
	Hosts         []Host // in the order of the files
	Discover      []Discover
	SecurityGroup *SecurityGroup // nil: no security group is managed
	Docker        Docker
	Swarm         Swarm
	Networks      []Network
	Images        []Image
	Stacks        []Stack // in the order of the files
	Files         []File
	Scope         *Scope // variables, locals and functions, for what is evaluated later
}

// Cluster names the whole; the name is the ownership label of everything made.
type Cluster struct {
	Name   string
	Region string // "": the AWS SDK's own chain decides
	Range  hcl.Range
}

// SSH says how hosts are reached. Zero fields leave the choice to ssh_config
// and then to OpenSSH's defaults.
type SSH struct {
	User         string
	Port         int
	Identity     string // path of a private key; this and the other paths start from the inventory's folder or are absolute
	HostKeys     string // "known_hosts", "accept-new" or "ec2"
	KnownHosts   string // path
	Jump         string // [user@]host[:port] of a bastion, or several with commas between, passed in turn
	Config       string // path of an ssh_config file
	SudoPassword string // sensitive
	DialTimeout  time.Duration
	// InstanceConnect logs in with a key that EC2 lets in for a minute, and with
	// no other.
	InstanceConnect bool
}

// Host is one machine.
type Host struct {
	Name       string
	Address    string // where SSH reaches it
	Private    string // address that the swarm advertises; "": found on the host
	Role       string // "manager", "worker" or "": see Managers
	Zone       string // availability zone, "" when unknown
	InstanceID string
	Type       string            // EC2 instance type, "" when unknown
	Labels     map[string]string // labels of the swarm node
	User       string            // overrides SSH.User
	Port       int
	Identity   string
	Jump       string
	Range      hcl.Range
}

// Discover finds hosts by EC2 filters.
type Discover struct {
	Kind    string // "ec2"
	Region  string // the cluster's where the block has none; "" as there
	Filters map[string][]string
	Address string // "private" (default), "public" or "ipv6"
	Range   hcl.Range
}

// SecurityGroup is the EC2 security group that rmqprov owns or adopts.
type SecurityGroup struct {
	Name      string
	Adopt     string   // id of an existing group, or ""
	Clients   []string // CIDRs
	Operators []string // CIDRs
	Range     hcl.Range
}

// Docker is what every host's Engine must be.
type Docker struct {
	RegistryMirrors    []string
	InsecureRegistries []string
	LogMaxSize         string         // "50m" by default
	LogMaxFile         int            // 3 by default
	Settings           map[string]any // further keys of daemon.json, as encoding/json gives them; log-opts only beside a log-driver that writes no files
	Range              hcl.Range
}

// Swarm holds what can be chosen only when the swarm is initialised.
type Swarm struct {
	AddressPools []string // CIDRs for networks without a subnet; empty: one that avoids the hosts' own
	SubnetSize   int      // 24 by default
	DataPathPort int      // 4789 by default
	Range        hcl.Range
}

// Network is an overlay network.
type Network struct {
	Name       string
	Subnet     string // CIDR; "": from the address pool
	MTU        int    // 0: Docker's default
	Attachable bool
	Encrypted  bool
	Range      hcl.Range
}

// Image is built from a Dockerfile on one of the hosts, and handed to the others.
type Image struct {
	Name  string
	Dir   string // of the Dockerfile and all that it copies
	Hash  string // of what the folder holds: see Context
	Ref   string // what services name: the tag is the hash; "": the folder could not be read, which has been reported
	Range hcl.Range
}

// Stack is one playbook or compose file put to use.
type Stack struct {
	Name        string
	Playbook    string           // a name the binary carries, or a folder that starts with "./", "../" or "/"; "" where Compose is not
	Compose     string           // path of a compose file that stands alone, from the inventory's folder or absolute
	Inputs      map[string]Input // nil: they could not be evaluated, which has been reported
	DependsOn   []string         // names of stacks
	Range       hcl.Range
	InputsRange hcl.Range
}

// Input is one value given to a playbook. A sensitive value carries the
// Sensitive mark. A value that could not be evaluated is not wholly known, which
// has been reported.
type Input struct {
	Value cty.Value
	Range hcl.Range // name = value, or all inputs where they are computed
}

// File is a file the user wants on hosts.
type File struct {
	Name    string
	Path    string // absolute, on the host
	Content []byte
	Hosts   []string // names; empty: all
	Mode    fs.FileMode
	Owner   string
	Group   string
	Restart []string // systemd units to restart when the file changes
	Range   hcl.Range
}

// Managers returns the names of the hosts that are to be swarm managers, in
// order. Where no host has a role, they are the first hosts, up to five and
// an odd number of them, so that losing one never loses the majority that one
// fewer would have had.
func (inv *Inventory) Managers() []string {
	var named, unnamed []string
	for i := range inv.Hosts { // asked for every host of a thousand: no copies
		switch h := &inv.Hosts[i]; {
		case h.Role == "manager":
			named = append(named, h.Name)
		case h.Role == "" && len(unnamed) < 5:
			unnamed = append(unnamed, h.Name)
		}
	}
	if len(named) > 0 {
		return named
	}
	n := len(unnamed)
	if n > 0 && n%2 == 0 {
		n--
	}
	return unnamed[:n]
}
