// Package preflight proves that hosts reach each other, before anything depends
// on it: it listens on one host, knocks at it from the others, and judges what
// arrived.
//
// Nothing is left on a host. What listens are sockets of systemd, whose units
// exist under /run while the proof lasts; what knocks is bash. Both are on every
// system that Docker can be installed on.
package preflight

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/remote"
)

//go:embed listen.sh
var listenScript string

//go:embed knock.sh
var knockScript string

// within bounds a whole proof: on a host that installs packages meanwhile,
// seconds.
const within = time.Minute

// parallel bounds the knocks at one host at once.
const parallel = 16

// Run makes the proof of one host; reach returns any host by its name. Its error
// is that the proof could not be made; what it came to is in the report.
func Run(ctx context.Context, host string, check plan.Preflight, reach func(host string) *remote.Host) (Report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("the checks of %s did not end within %s", host, within))
	defer cancel()
	p := proof{host: host, check: check, reach: reach, mark: newMark()}
	answer, err := p.listen(ctx, p.knock)
	if err != nil {
		return Report{}, err
	}
	if p.heard, err = readHeard(answer); err != nil {
		return Report{}, fmt.Errorf("host %s, asked what arrived there: %w", host, err)
	}
	return judge(seen{host: host, check: check, heard: p.heard, in: p.in, out: p.out}), nil
}

// newMark makes what tells this proof's datagrams from all others.
func newMark() string {
	b := make([]byte, 6)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

type proof struct {
	host  string
	check plan.Preflight
	reach func(host string) *remote.Host
	mark  string

	heard heard
	mu    sync.Mutex
	in    map[string]knocked
	out   map[string]knocked
}

// listen lets the host listen while something is done, and returns its answer.
func (p *proof) listen(ctx context.Context, during func(context.Context) error) (string, error) {
	var answer bytes.Buffer
	release, _, err := p.reach(p.host).Hold(ctx, remote.Command{
		Script: listenScript, Argv: append([]string{p.mark, p.anywhere()}, words(portsOf(p.check.In))...),
		Sudo: true, Name: "listening", Stdout: &answer,
	})
	if err != nil {
		return "", fmt.Errorf("listening on %s for the others: %w", p.host, err)
	}
	err = during(ctx)
	release()
	return answer.String(), err
}

// anywhere is the address that stands for all of the host's own.
func (p *proof) anywhere() string {
	for _, w := range p.check.In {
		if w.Dest.Is6() {
			return "[::]"
		}
	}
	return "0.0.0.0"
}

func words(ports []plan.Port) []string {
	var list []string
	for _, p := range ports {
		list = append(list, p.String())
	}
	return list
}

// knock goes all ways at once.
func (p *proof) knock(ctx context.Context) error {
	p.in, p.out = map[string]knocked{}, map[string]knocked{}
	slots := make(chan struct{}, parallel)
	var all sync.WaitGroup
	var errs []error
	try := func(w plan.Way, ports []plan.Port, far string, into map[string]knocked) {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			k, err := p.knockAt(ctx, w, ports)
			p.mu.Lock()
			defer p.mu.Unlock()
			into[far] = k
			errs = append(errs, err)
		})
	}
	for _, w := range p.check.In {
		try(w, w.Ports, w.From, p.in)
	}
	for _, w := range p.check.Out {
		try(w, overTCP(w.Ports), w.To, p.out)
	}
	all.Wait()
	return errors.Join(errs...)
}

func overTCP(ports []plan.Port) []plan.Port {
	var list []plan.Port
	for _, p := range ports {
		if p.Protocol == "tcp" {
			list = append(list, p)
		}
	}
	return list
}

func (p *proof) knockAt(ctx context.Context, w plan.Way, ports []plan.Port) (knocked, error) {
	argv := []string{"bash", "-c", knockScript, "rmqprov-knock", p.mark, w.From, w.Dest.String(), strconv.Itoa(p.check.Packet)}
	r, err := p.reach(w.From).Run(ctx, remote.Command{Argv: append(argv, words(ports)...), Name: "knocking"})
	if err != nil {
		return knocked{}, fmt.Errorf("knocking from %s at %s: %w", w.From, w.To, err)
	}
	k, err := readKnocked(string(r.Stdout))
	if err != nil {
		return knocked{}, fmt.Errorf("host %s, asked what it reaches: %w", w.From, err)
	}
	return k, nil
}
