package plan

import (
	"io/fs"
	"net/netip"
	"time"

	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/state"
)

// Action is what a step does, with all it needs. Each has its own file in
// package provision.
type Action interface{ action() }

// The actions on a host.
type (
	// InstallDocker installs the Engine from the host's own packages, enables
	// and starts it.
	InstallDocker struct{ OS state.OS }

	// StartDocker enables and starts an Engine that is installed.
	StartDocker struct{}

	// WriteDaemon writes daemon.json. Then says what makes the Engine read it:
	// "" (it is not running yet), "reload" or "restart".
	WriteDaemon struct {
		Content []byte
		Then    string
	}

	// PutFiles writes files, and then restarts units where one of them changed.
	PutFiles struct {
		Files   []HostFile
		Restart []string
	}

	// InitSwarm starts a swarm on its first manager.
	InitSwarm struct {
		Advertise    netip.Addr
		Pools        []netip.Prefix
		SubnetSize   int
		DataPathPort int
		Labels       map[string]string
	}

	// JoinSwarm makes the host a member; the token comes from one of the hosts
	// named in Through, at the moment it is needed.
	JoinSwarm struct {
		Advertise netip.Addr
		Manager   bool
		Through   []string
	}

	// UpdateNode brings the swarm node of a host to labels, role and
	// availability.
	UpdateNode struct {
		Set    map[string]string
		Remove []string
		Role   swarm.NodeRole // "": left as it is
	}

	// PullImage fetches an image ahead of the service that needs it.
	PullImage struct{ Ref string }
)

// The actions that take away what apply made on a host.
type (
	// RemoveFiles removes files, and folders with all that is in them.
	RemoveFiles struct{ Paths []string }

	// LeaveSwarm lets the host leave the swarm: demoted first where it is a
	// manager, unless it is the last one, which ends the swarm.
	LeaveSwarm struct{ Last bool }

	// RemoveVolume removes a data volume.
	RemoveVolume struct{ Name string }

	// PurgeDocker removes the Engine with its packages and all its data.
	PurgeDocker struct{}
)

// HostFile is a file for a host.
type HostFile struct {
	Path    string
	Content []byte
	Mode    fs.FileMode
	Owner   string
	Group   string
}

// The actions on the swarm as a whole.
type (
	// CreateNetwork makes an overlay network.
	CreateNetwork struct {
		Name       string
		Subnet     string
		MTU        int
		Attachable bool
		Encrypted  bool
		Labels     map[string]string
		Replace    bool // an unused network of that name goes first
	}

	// CreateConfig makes a Docker config.
	CreateConfig struct {
		Object  string
		Content []byte
		Labels  map[string]string
	}

	// RemoveConfig removes a Docker config that nothing refers to.
	RemoveConfig struct{ Object string }

	// CreateSecret makes the Docker secrets of one value. A generated value is
	// made at that moment and never leaves the process but to the swarm.
	CreateSecret struct {
		Secret playbooks.Secret
		Labels map[string]string
	}

	// RemoveSecret removes a Docker secret that nothing refers to.
	RemoveSecret struct{ Object string }

	// CreateService makes a service.
	CreateService struct{ Spec swarm.ServiceSpec }

	// UpdateService changes a service, and waits until its tasks are the new
	// ones.
	UpdateService struct{ Spec swarm.ServiceSpec }

	// AwaitService waits until all tasks of a service run. It changes nothing.
	AwaitService struct{ Spec swarm.ServiceSpec }

	// RemoveService removes a service.
	RemoveService struct{ Name string }

	// RemoveNetwork removes a network that nothing uses.
	RemoveNetwork struct{ Name string }

	// ForgetNode removes the node of a host that is gone: demoted first where it
	// was a manager. Silent: the node was not down, but never spoke to the swarm,
	// and stays where it does so meanwhile.
	ForgetNode struct {
		ID     string
		Silent bool
	}

	// RunCommand runs a command in a container until it succeeds.
	RunCommand struct {
		Exec     []string
		Mend     []string // run in the same place where Exec fails, before it is tried again; nil: nothing
		Undo     []string // takes back what Exec did, where the stop that it was for does not come about; nil: nothing
		Services []string // names of the swarm services that have a container to run it in
		All      bool     // in a container of each task, not in the first that runs
		Within   time.Duration
		Once     bool // a failure is final: it is a deed, not a question
		Forced   bool // a failure is told and passed over, as --force-quorum-loss asks
	}

	// RecordStack notes in the swarm that a stack of this content stands and
	// that its gates held.
	RecordStack struct {
		Stack  string
		Object string
		Hash   string
		Labels map[string]string
	}
)

func (InstallDocker) action() {}
func (StartDocker) action()   {}
func (WriteDaemon) action()   {}
func (PutFiles) action()      {}
func (InitSwarm) action()     {}
func (JoinSwarm) action()     {}
func (UpdateNode) action()    {}
func (PullImage) action()     {}
func (CreateNetwork) action() {}
func (RemoveNetwork) action() {}
func (CreateConfig) action()  {}
func (RemoveConfig) action()  {}
func (CreateSecret) action()  {}
func (RemoveSecret) action()  {}
func (CreateService) action() {}
func (UpdateService) action() {}
func (AwaitService) action()  {}
func (RemoveService) action() {}
func (ForgetNode) action()    {}
func (RunCommand) action()    {}
func (RecordStack) action()   {}
func (RemoveFiles) action()   {}
func (LeaveSwarm) action()    {}
func (RemoveVolume) action()  {}
func (PurgeDocker) action()   {}
