// Package playbooks holds what a system needs, as data: the playbook format,
// its loader, and the playbooks that the binary carries.
//
// A playbook is a folder with a playbook.hcl and the files that it names. The
// engine knows no system by name; everything particular to RabbitMQ, Consul,
// HAProxy or a user's own stack stands in such a folder.
package playbooks

import (
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/moby/moby/api/types/swarm"
	"github.com/zclconf/go-cty/cty"
)

// Stack is a playbook put to use by an inventory: every input given, every
// template rendered, and the compose file converted to the very service specs
// that `docker stack deploy` would make of it. It is pure data.
type Stack struct {
	Name      string
	Playbook  string // as the inventory names it: a playbook, or the compose file that stands alone
	DependsOn []string
	Inputs    map[string]cty.Value // after defaults; sensitive ones are marked
	Slots     []SlotSet
	Services  []Service // in the order in which the playbook changes them
	Networks  []string  // overlay networks that the services join, of the inventory and its own
	Own       []Network `json:",omitempty"` // networks that are the stack's own
	Configs   []Config
	Secrets   []Secret
	Ports     []Port
	Requires  Requires
	Versions  Versions
	Consoles  []Console
	Gates     []Gate
	Hooks     []Hook
	Backups   []Backup
	Proofs    []Proof
	Roll      string     // name of the slot set that changes one slot at a time
	Form      Form       // how a slot set starts for the first time
	Files     []Rendered // what an operator finds on the managers: the compose file and its configs
	Range     hcl.Range
}

// Form is how the members of a slot set start when none of them exists yet.
type Form string

// The ways to form.
const (
	FormTogether Form = "together" // all at once
	FormInTurn   Form = "in turn"  // one after the other, each when the slot gates of the one before hold
)

// SlotSet is a set of members with fixed names, at most one a host.
type SlotSet struct {
	Name  string   // "rabbitmq"
	Names []string // "rabbitmq-01", …
	Range hcl.Range
}

// NodeLabel is the label of the swarm node that holds the slot; its value is
// "true".
func NodeLabel(slot string) string { return "rmqprov.slot." + slot }

// Service is one swarm service. References to configs and secrets in Spec
// carry names; ids are filled in when the service is made.
type Service struct {
	Name string // as swarm knows it: STACK_SERVICE
	Slot string // the slot whose member it is, or "" where it is none
	Spec swarm.ServiceSpec
}

// Network is an overlay network that a compose file makes for its services, as
// `docker stack deploy` does.
type Network struct {
	Name       string // as Docker knows it: STACK_NETWORK
	Attachable bool
}

// Config is a Docker config, named after its content.
type Config struct {
	Name    string // in the playbook
	Object  string // the Docker object's name, which ends in a hash of Content
	Content []byte
}

// Secret is a value and the Docker secrets made of it. Either Value is given
// by the user or Generate says how to make one.
type Secret struct {
	Name     string
	Value    string // sensitive; "" when generated
	Generate int    // number of random bytes (Encoding base64) or characters (alphanumeric)
	Encoding string // "alphanumeric" (default), "base64" or "hex"
	Objects  []SecretObject
}

// SecretObject is one Docker secret that holds a secret's value in a form.
type SecretObject struct {
	Object string // the Docker object's name; ends in a slow hash of a given value, or in -gN for a generated one
	Format string // text in which %s stands for the value; "" is the value alone
}

// Port is a port that the stack uses on hosts.
type Port struct {
	Name     string
	Number   int
	Protocol string // "tcp" or "udp"
	From     string // "clients", "operators" or "hosts"
	Note     string // what it is for, one line
}

// Console is something to look at in a browser.
type Console struct {
	Name   string
	Port   int
	Path   string
	User   string
	Secret string // name of the Secret of this stack with the password, "" when there is none
}

// On says where a gate or hook runs.
type On string

// Where gates and hooks run.
const (
	OnSlot    On = "slot"    // in the container of the slot that has just changed
	OnOne     On = "one"     // once, in one running container of the roll's set, else of any service
	OnEach    On = "each"    // in every container of the stack's services, or of Service
	OnAnother On = "another" // in a running member other than the slot concerned
)

// Gate is a condition that must hold before what follows may go on. The
// command is run in a container until it exits 0.
type Gate struct {
	Name    string
	Exec    []string // ${missing} still stands in it: see ExecWithout
	Mend    []string // run by apply, in the same place, when the gate does not hold at once; nil: nothing mends it
	On      On
	Service string // for OnEach and OnOne: only containers of this service of the compose file, "" for all
	Within  time.Duration
	Note    string // what it proves, one line, shown in the plan
}

// Hook is a command that is run at a moment in a member's life.
type Hook struct {
	Moment string   // "before stop", "before upgrade", "after form", "after join", "after change", "on lost", "on recover" or "on risk"
	Name   string   // unique at its moment
	Exec   []string // ${slot.name} still stands in it, and ${lost} on recover: see ExecFor and ExecAfter
	Undo   []string // takes it back, where the member is not stopped after all; nil: nothing does
	On     On
	Within time.Duration
	Note   string
}

// Proof is an end-to-end check from outside, through a port on every host.
type Proof struct {
	Name     string
	Protocol string // "amqp" or "http"
	Port     int
	Path     string // for http
	User     string
	Secret   string // name of the Secret of this stack with the password
}

// Rendered is a file as an operator may read it on a manager.
type Rendered struct {
	Name    string // relative to the stack's folder there
	Content []byte
}
