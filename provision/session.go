// Package provision observes hosts and carries plans out. It is the edge where
// SSH, Docker and the swarm are really touched; what to do is decided in
// package plan.
package provision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/moby/moby/client"
	gossh "golang.org/x/crypto/ssh"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/cloud"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/remote"
)

// Options are the choices of one run.
type Options struct {
	Parallel   int // steps at work at once; 0 means 64
	Passphrase func(path string) ([]byte, error)
	By         string     // who runs it, as user@host; goes into the record
	Version    string     // of rmqprov; goes into the record
	Cloud      *cloud.EC2 // the account; nil: the one that the SDK's chain finds

	// AllowUnreachable makes do with a majority of the managers, for the lock,
	// and asks nothing of containers on hosts that cannot be reached.
	AllowUnreachable bool
}

// Session holds one connection a host for the length of a run.
type Session struct {
	inv     *inventory.Inventory
	options Options
	hosts   map[string]*machine
	names   []string // of the hosts, in the inventory's order

	patience  time.Duration // how long a connected host may take to say what it is
	inventory string        // fingerprint of what is being applied; goes into the record

	lock *lock // on the cluster; nil without one

	mu       sync.Mutex
	managers []string // hosts known to be managers of our swarm, best first
	unseen   []string // hosts that could not be reached when they were last looked at
}

// machine is one host with the ways to it.
type machine struct {
	inventory.Host
	ssh    *remote.Host
	docker *client.Client // speaks through ssh; dials when first used
	meter  *meter         // of what docker reads
	execs  chan struct{}  // bounds the commands that run in its containers at once
}

// Open makes a session. Nothing is dialled until it is needed.
func Open(inv *inventory.Inventory, options Options) (*Session, error) {
	if options.Cloud == nil {
		options.Cloud = cloud.New(inv)
	}
	s := &Session{inv: inv, options: options, hosts: map[string]*machine{}, patience: answerOf}
	known, err := knownHosts(inv)
	if err != nil {
		return nil, err
	}
	for _, h := range inv.Hosts {
		ssh := remote.NewHost(known.on(target(inv.SSH, h, options)))
		meter := &meter{limit: maxAnswers}
		docker, err := dockerThrough(ssh, meter)
		if err != nil {
			return nil, fmt.Errorf("host %s: %w", h.Name, err)
		}
		s.hosts[h.Name] = &machine{Host: h, ssh: ssh, docker: docker, meter: meter, execs: make(chan struct{}, maxExecs)}
		s.names = append(s.names, h.Name)
	}
	return s, nil
}

func target(ssh inventory.SSH, h inventory.Host, o Options) remote.Target {
	t := remote.Target{
		Name: h.Name, Address: h.Address, User: ssh.User, Port: ssh.Port, Identity: ssh.Identity, Jump: ssh.Jump,
		HostKeys: remote.HostKeyPolicy(ssh.HostKeys), KnownHosts: ssh.KnownHosts, ConfigFile: ssh.Config,
		SudoPassword: ssh.SudoPassword, DialTimeout: ssh.DialTimeout, Passphrase: o.Passphrase,
	}
	if ssh.InstanceConnect {
		t.Push = func(ctx context.Context, user string, key gossh.PublicKey) error {
			return o.Cloud.PushKey(ctx, h, user, key)
		}
	}
	if h.User != "" {
		t.User = h.User
	}
	if h.Port != 0 {
		t.Port = h.Port
	}
	if h.Identity != "" {
		t.Identity = h.Identity
	}
	if h.Jump != "" {
		t.Jump = h.Jump
	}
	return t
}

// A connection to Docker is a session of the host's sshd, which has few. A
// pull holds one for as long as it takes, a command in a container another.
const (
	maxCalls = 3
	maxExecs = 2
)

// dockerThrough makes a Docker client whose connections are channels of a
// host's SSH connection.
func dockerThrough(ssh *remote.Host, meter *meter) (*client.Client, error) {
	transport := &http.Transport{
		DialContext:     dialDocker(ssh, meter),
		MaxConnsPerHost: maxCalls, MaxIdleConnsPerHost: maxCalls,
	}
	return client.New(
		client.WithHTTPClient(&http.Client{Transport: transport}),
		client.WithHost("http://docker.invalid"),
		client.WithDialContext(dialDocker(ssh, meter)),
	)
}

// Close ends all connections.
func (s *Session) Close() error {
	var errs []error
	for _, m := range s.hosts {
		errs = append(errs, m.docker.Close(), m.ssh.Close())
	}
	return errors.Join(errs...)
}

// Connections says how many SSH connections were made to each host.
func (s *Session) Connections() map[string]int {
	n := map[string]int{}
	for name, m := range s.hosts {
		n[name] = m.ssh.Connections()
	}
	return n
}

// isUnseen says that a host could not be reached when it was last looked at.
func (s *Session) isUnseen(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.unseen, host)
}

// addManager notes that a host is a manager of our swarm.
func (s *Session) addManager(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.managers, host) {
		s.managers = append(s.managers, host)
	}
}

// onManager does something through a manager's Docker API, tries the next
// manager where one cannot be reached, and waits while they elect a leader.
func (s *Session) onManager(ctx context.Context, do func(*client.Client) error) error {
	return awaitLeader(ctx, func() error { return s.tryManagers(ctx, do) })
}

func (s *Session) tryManagers(ctx context.Context, do func(*client.Client) error) error {
	s.mu.Lock()
	managers := slices.Clone(s.managers)
	s.mu.Unlock()
	if len(managers) == 0 {
		return errors.New("no swarm manager is known")
	}
	var err error
	for _, name := range managers {
		err = do(s.hosts[name].docker)
		if err == nil || !mayPass(err) || ctx.Err() != nil {
			break
		}
	}
	return err
}

// Apply carries a plan out and tells what happens through emit, which may be
// called from several goroutines at once. Closing stop lets running steps end
// and begins no new ones; ending ctx breaks off.
func (s *Session) Apply(ctx context.Context, p *plan.Plan, stop <-chan struct{}, emit func(Event)) Report {
	parallel := s.options.Parallel
	if parallel == 0 {
		parallel = 64
	}
	w := &walker{run: s.run, emit: emit, stop: stop, allowed: s.lock.await, slots: make(chan struct{}, parallel)}
	report := w.walk(ctx, p)
	if !s.lock.isOver() { // another run that has come in between may need what this one got ready
		s.takeBack(ctx, report, emit)
	}
	emit(Event{Time: time.Now(), Kind: Summary, Elapsed: report.Took, Message: report.String()})
	return report
}

// String counts the outcomes.
func (r Report) String() string {
	return fmt.Sprintf("%d done, %d failed, %d not done", len(r.of(Done)), len(r.Failed()), len(r.Skipped()))
}

// run does one step.
func (s *Session) run(ctx context.Context, step plan.Step, say func(string)) error {
	if err := s.guarded(ctx, step.Guard, say); err != nil {
		return err
	}
	m := s.hosts[step.Host]
	switch a := step.Action.(type) {
	case plan.InstallDocker:
		return s.installDocker(ctx, m, a, say)
	case plan.StartDocker:
		return s.startDocker(ctx, m)
	case plan.WriteDaemon:
		return s.writeDaemon(ctx, m, a)
	case plan.PutFiles:
		return s.putFiles(ctx, m, a)
	case plan.Preflight:
		return s.preflight(ctx, m, a, say)
	case plan.InitSwarm:
		return s.initSwarm(ctx, m, a)
	case plan.RecoverSwarm:
		return s.recoverSwarm(ctx, m, a)
	case plan.JoinSwarm:
		return s.joinSwarm(ctx, m, a)
	case plan.UpdateNode:
		return s.updateNode(ctx, m, a)
	case plan.PullImage:
		return s.pullImage(ctx, m, a, say)
	case plan.BuildImage:
		return s.buildImage(ctx, m, a, say)
	case plan.CopyImage:
		return s.copyImage(ctx, m, a)
	case plan.RemoveImage:
		return s.removeImage(ctx, m, a)
	case plan.CreateNetwork:
		return s.createNetwork(ctx, a)
	case plan.RemoveNetwork:
		return s.removeNetwork(ctx, a)
	case plan.CreateConfig:
		return s.createConfig(ctx, a)
	case plan.RemoveConfig:
		return s.removeConfig(ctx, a)
	case plan.CreateSecret:
		return s.createSecret(ctx, a)
	case plan.RemoveSecret:
		return s.removeSecret(ctx, a)
	case plan.CreateService:
		return s.createService(ctx, a, say)
	case plan.AwaitService:
		return s.awaitService(ctx, a, say)
	case plan.UpdateService:
		return s.updateService(ctx, a, say)
	case plan.RemoveService:
		return s.removeService(ctx, a)
	case plan.ForgetNode:
		return s.forgetNode(ctx, a)
	case plan.RunCommand:
		return passOver(ctx, a, s.runCommand(ctx, a, say), say)
	case plan.RemoveFiles:
		return s.removeFiles(ctx, m, a)
	case plan.RebootHost:
		return s.rebootHost(ctx, m, say)
	case plan.UpgradeDocker:
		return s.upgradeDocker(ctx, m, say)
	case plan.LeaveSwarm:
		return s.leaveSwarm(ctx, m, a)
	case plan.RemoveVolume:
		return s.removeVolume(ctx, m, a)
	case plan.PurgeDocker:
		return s.purgeDocker(ctx, m, say)
	case plan.ChangeGroup:
		return s.options.Cloud.Do(ctx, a.Deed)
	case plan.RestoreData:
		return s.restoreData(ctx, a)
	case plan.RecordStack:
		return s.recordStack(ctx, a)
	}
	return fmt.Errorf("defect: no code for the action of step %s", step.ID)
}
