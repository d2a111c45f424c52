package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/remote"
	"github.com/rmqprov/rmqprov/provision/state"
)

// keptScript prints what an Engine keeps of its swarm, a file a line.
const keptScript = `
root=$(sed -n 's/.*"data-root" *: *"\([^"]*\)".*/\1/p' /etc/docker/daemon.json 2>/dev/null)
cd "${root:-/var/lib/docker}/swarm" || exit
tr -d '\n' <docker-state.json && echo && tr -d '\n' <state.json && echo
`

// answersScript prints those of its arguments, HOST/PORT each, that take a connection.
const answersScript = `for a; do (timeout 3 bash -c ": </dev/tcp/$a" 2>/dev/null && echo "$a") & done; wait`

// Survey asks a manager what it knows of its swarm by itself, and which of the
// other managers it reaches: the port of one that is frozen takes connections, too.
func (s *Session) Survey(ctx context.Context, host string) (seen state.Known[state.Survivor]) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	seen.Value, seen.Err = survey(ctx, s.hosts[host].ssh)
	seen.Err = because(ctx, seen.Err)
	return seen
}

func survey(ctx context.Context, ssh *remote.Host) (seen state.Survivor, err error) {
	kept, err := ssh.Run(ctx, remote.Command{Script: keptScript, Sudo: true, Name: "reading what Docker keeps of its swarm"})
	if err != nil {
		return seen, err
	}
	start, managers, _ := bytes.Cut(kept.Stdout, []byte("\n"))
	if seen.Start, err = state.ParseSwarmStart(start); err != nil {
		return seen, err
	}
	if seen.Managers, err = state.ParseManagers(managers); err != nil {
		return seen, err
	}
	argv := []string{"bash", "-c", answersScript, "rmqprov-answers"}
	for _, m := range seen.Managers {
		argv = append(argv, devTCP(m))
	}
	answers, err := ssh.Run(ctx, remote.Command{Argv: argv, Name: "looking for the other managers"})
	if err != nil {
		return seen, err
	}
	for i, m := range seen.Managers {
		seen.Managers[i].Answers = strings.Contains(string(answers.Stdout), devTCP(m)+"\n")
	}
	return seen, nil
}

func devTCP(m state.Manager) string {
	return fmt.Sprintf("%s/%d", m.Address.Addr(), m.Address.Port())
}

// LockOn is Lock where only one manager is left to hold the lock on: whoever
// recovers a swarm has found that no majority of the others is there.
func (s *Session) LockOn(ctx context.Context, host string, wait time.Duration) (release func(), err error) {
	holder := fmt.Sprintf("%s since %s, process %d", s.options.By, time.Now().UTC().Format(time.RFC3339), os.Getpid())
	for deadline := time.Now().Add(wait); ; {
		l := newLock(holder, 1, s.lockOn)
		err := l.takeAll(ctx, []string{host})
		if err == nil {
			s.lock = l
			return l.letGo, nil
		}
		l.letGo()
		var locked *Locked
		if !errors.As(err, &locked) || time.Now().After(deadline) {
			return nil, err
		}
		if perr := pause(ctx, time.Second); perr != nil {
			return nil, errors.Join(err, perr)
		}
	}
}

// recoverWithin bounds how long a swarm that is begun anew may take to have a leader.
const recoverWithin = 2 * time.Minute

// recoverSwarm begins a swarm anew from one of its managers. What is not said in
// the call stays as it is (address pools, labels); the port of the data path is
// not so, and would become 4789.
func (s *Session) recoverSwarm(ctx context.Context, m *machine, a plan.RecoverSwarm) error {
	ctx, cancel := context.WithTimeout(ctx, recoverWithin)
	defer cancel()
	info, err := m.docker.Info(ctx, client.InfoOptions{})
	if err != nil {
		return fmt.Errorf("asking Docker on %s: %w", m.Name, err)
	}
	if !led(info) {
		_, err = m.docker.SwarmInit(ctx, client.SwarmInitOptions{
			ForceNewCluster: true, ListenAddr: a.Start.Listen, AdvertiseAddr: a.Start.Advertise,
			DataPathAddr: a.Start.DataPath, DataPathPort: uint32(a.Start.DataPathPort),
		})
		if err := s.awaitLed(ctx, m, err); err != nil { // it may come up after the call has given up
			return err
		}
	}
	s.addManager(m.Name)
	if err := s.labelRecovered(ctx, m, a.Labels); err != nil {
		return fmt.Errorf("labelling the swarm of %s: %w", m.Name, err)
	}
	return nil
}

// led says that a manager's swarm has a leader.
func led(info client.SystemInfoResult) bool {
	return info.Info.Swarm.Cluster != nil && info.Info.Swarm.Cluster.ID != ""
}

func (s *Session) awaitLed(ctx context.Context, m *machine, why error) error {
	for {
		info, err := m.docker.Info(ctx, client.InfoOptions{})
		if err == nil && led(info) {
			return nil
		}
		if pause(ctx, 300*time.Millisecond) != nil {
			return errors.Join(fmt.Errorf("the swarm of %s was begun anew and has no leader %s later\n→ look at `journalctl -u docker` there, and run recover again", m.Name, recoverWithin), why, err)
		}
	}
}

func (s *Session) labelRecovered(ctx context.Context, m *machine, labels map[string]string) error {
	for try := 1; ; try++ {
		seen, err := m.docker.SwarmInspect(ctx, client.SwarmInspectOptions{})
		if err != nil {
			return err
		}
		spec := seen.Swarm.Spec
		if spec.Labels[plan.RecoveredLabel] != "" {
			return nil
		}
		err = relabel(ctx, m.docker, seen.Swarm.Version, spec, labels)
		if err == nil || try == conflictTries || !moved(err) {
			return err
		}
	}
}

func relabel(ctx context.Context, docker *client.Client, version swarm.Version, spec swarm.Spec, labels map[string]string) error {
	all := maps.Clone(spec.Labels)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, labels)
	all[plan.RecoveredLabel] = time.Now().UTC().Format(time.RFC3339)
	spec.Labels = all
	_, err := docker.SwarmUpdate(ctx, client.SwarmUpdateOptions{Version: version, Spec: spec})
	return err
}
