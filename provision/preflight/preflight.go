// Package preflight proves that hosts reach each other, before anything depends
// on it: it listens on one host, knocks at it from the others, and judges what
// arrived.
//
// Nothing is left on a host. What listens are sockets of systemd, whose units
// exist under /run while the proof lasts; what knocks is bash. Both are on every
// system that Docker can be installed on.
package preflight

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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

// within bounds a whole proof. It takes a second, and on a host with a twentieth
// of a core that installs packages meanwhile a hundred times that.
const within = 3 * time.Minute

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
	h, err := readHeard(answer)
	if err != nil {
		return Report{}, fmt.Errorf("host %s, asked what arrived there: %w", host, err)
	}
	return judge(seen{host: host, check: check, heard: h, in: p.in, out: p.out}), nil
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

	mu  sync.Mutex
	in  map[string]knocked // by the host that knocked at this one
	out map[string]knocked // by the host that this one knocked at
}

// listen lets the host listen while something is done, and returns its answer.
func (p *proof) listen(ctx context.Context, during func(context.Context) error) (string, error) {
	input, hangUp := io.Pipe()
	defer hangUp.Close()
	ready, ended := make(chan struct{}), make(chan struct{})
	var answer remote.Result
	var err error
	go func() {
		defer close(ended)
		answer, err = p.reach(p.host).Run(ctx, remote.Command{
			Script: listenScript, Argv: append([]string{p.mark, p.anywhere()}, words(portsOf(p.check.In))...),
			Sudo: true, Name: "listening", Stdin: input, Stdout: &first{then: func() { close(ready) }},
		})
	}()
	var failed error
	select {
	case <-ready:
		failed = during(ctx)
	case <-ended:
	}
	hangUp.Close()
	<-ended
	if err != nil {
		err = fmt.Errorf("listening on %s for the others: %w", p.host, err)
	}
	return string(answer.Stdout), errors.Join(failed, err)
}

// first does something once, when a first word comes.
type first struct {
	once sync.Once
	then func()
}

func (f *first) Write(p []byte) (int, error) {
	f.once.Do(f.then)
	return len(p), nil
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
