package provision

import (
	"context"
	"fmt"
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
		for _, g := range stack.Gates {
			jobs = append(jobs, func() Check { return s.checkGate(ctx, stack, g) })
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

func (s *Session) checkGate(ctx context.Context, stack playbooks.Stack, g playbooks.Gate) Check {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	c := Check{Stack: stack.Name, Name: g.Name, OK: true, Detail: g.Note}
	command := plan.RunCommand{Services: plan.GateServices(stack, g), All: g.On != playbooks.OnOne}
	if err := s.tryCommand(ctx, command, g.Exec); err != nil {
		c.OK, c.Detail = false, err.Error()
	}
	return c
}

func (s *Session) checkProof(ctx context.Context, stack playbooks.Stack, p playbooks.Proof, host, other string) Check {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
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
