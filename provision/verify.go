package provision

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// Check is one thing that was tried, and whether it held.
type Check struct {
	Stack  string        `json:"stack"`
	Name   string        `json:"name"`
	Host   string        `json:"host,omitempty"`
	OK     bool          `json:"ok"`
	Detail string        `json:"detail"`
	Took   time.Duration `json:"-"`
}

// checkWithin bounds one check.
const checkWithin = 30 * time.Second

// Verify proves from outside that the stacks do their work: every gate is
// asked once, and every proof is made through every host. It needs a session
// that has observed.
func (s *Session) Verify(ctx context.Context, want plan.Want) []Check {
	var jobs []func() Check
	for _, stack := range want.Stacks {
		for i, g := range stack.Gates {
			jobs = append(jobs, func() Check { return s.checkGate(ctx, stack, g, i) })
		}
		for _, p := range stack.Proofs {
			for i, host := range s.names {
				jobs = append(jobs, func() Check { return s.checkProof(ctx, stack, p, host, s.names[(i+1)%len(s.names)]) })
			}
		}
	}
	checks := make([]Check, len(jobs))
	var g errgroup.Group
	g.SetLimit(8) // a check may start an Erlang VM on the host
	for i, job := range jobs {
		g.Go(func() error {
			began := time.Now()
			checks[i] = job()
			checks[i].Took = time.Since(began)
			return nil
		})
	}
	_ = g.Wait() // the jobs return no error: it stands in the check
	return checks
}

// checkGate asks a gate once. Where one container answers for all it is the nth,
// so that the gates of a stack share its hosts.
func (s *Session) checkGate(ctx context.Context, stack playbooks.Stack, g playbooks.Gate, nth int) Check {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	c := Check{Stack: stack.Name, Name: g.Name, OK: true, Detail: g.Note}
	places, err := s.containers(ctx, plan.GateServices(stack, g))
	if err == nil && g.On == playbooks.OnOne {
		places = s.nth(places, nth)
	}
	if err == nil {
		err = s.askAll(ctx, places, g.ExecWithout(nil))
	}
	if err != nil {
		c.OK, c.Detail = false, err.Error()
	}
	return c
}

// nth is one of the places on hosts that can be reached, which stand first.
func (s *Session) nth(places []place, n int) []place {
	there := 0
	for there < len(places) && !s.isUnseen(places[there].machine.Name) {
		there++
	}
	if there == 0 {
		return places[:1]
	}
	return places[n%there:][:1]
}

// askAll runs a question in all places at once, and returns the first failure
// in their order.
func (s *Session) askAll(ctx context.Context, places []place, argv []string) error {
	errs := make([]error, len(places))
	var all sync.WaitGroup
	for i, p := range places {
		all.Go(func() { errs[i] = s.runIn(ctx, p, argv) })
	}
	all.Wait()
	return cmp.Or(errs...)
}

func (s *Session) checkProof(ctx context.Context, stack playbooks.Stack, p playbooks.Proof, host, other string) Check {
	ctx, cancel := context.WithTimeoutCause(ctx, checkWithin, fmt.Errorf("not within %s", checkWithin))
	defer cancel()
	c := Check{Stack: stack.Name, Name: p.Name, Host: host}
	var err error
	switch p.Protocol {
	case "amqp":
		c.Detail, err = s.proveAMQP(ctx, stack, p, s.hosts[host], s.hosts[other])
	case "http":
		c.Detail, err = s.proveHTTP(ctx, stack, p, s.hosts[host])
	default:
		err = fmt.Errorf("defect: no code for a proof by %q", p.Protocol)
	}
	if c.OK = err == nil; err != nil {
		c.Detail = err.Error()
	}
	return c
}
