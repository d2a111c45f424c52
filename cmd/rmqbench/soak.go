package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// slowCores is the share of a core that the first member's host has in a slow run.
const slowCores = "0.05"

// soak forms the cluster on bare hosts again and again, and looks at each from outside.
func soak(ctx context.Context, runs int, out io.Writer) error {
	l, err := lab.New("soak", "10.82.0.0/24", io.Discard)
	if err != nil {
		return err
	}
	l.Password = password
	defer l.Down(context.WithoutCancel(ctx))
	fmt.Fprintf(out, "%-5s%-24s%-10s%s\n", "run", "first member's host", "apply", "outcome")
	whole := 0
	for i := 1; i <= runs && ctx.Err() == nil; i++ {
		slow := i%4 == 0
		took, err := form(ctx, l, slow)
		fmt.Fprintf(out, "%-5d%-24s%-10s%s\n", i, speed(slow), seconds(took), outcome(err))
		if err == nil {
			whole++
		}
	}
	fmt.Fprintf(out, "%d of %d runs formed one cluster of three\n", whole, runs)
	if whole != runs {
		return errors.New("not every run formed one cluster of three")
	}
	return nil
}

func speed(slow bool) string {
	if slow {
		return slowCores + " of a core"
	}
	return "full speed"
}

func outcome(err error) string {
	if err == nil {
		return "one cluster: each member sees three, Consul has a leader and three peers"
	}
	return err.Error()
}

// form brings up bare hosts and a cluster on them. In a slow run, the host that is to hold the
// first member is slow from the moment when Consul stands.
func form(ctx context.Context, l *lab.Lab, slow bool) (time.Duration, error) {
	if err := l.Up(ctx, 3, "debian13"); err != nil {
		return 0, err
	}
	if slow {
		if err := slowDown(ctx, l); err != nil {
			return 0, err
		}
	}
	begin := time.Now()
	_, err := l.Apply(ctx)
	took := time.Since(begin)
	if err != nil {
		return took, err
	}
	if slow { // what looks at the cluster need not be slow too
		if err := l.Do(ctx, "throttle", l.Hosts()[0].Name, "0"); err != nil {
			return took, err
		}
	}
	return took, l.Whole(ctx)
}

func slowDown(ctx context.Context, l *lab.Lab) error {
	text, err := os.ReadFile(l.Inventory())
	if err != nil {
		return err
	}
	before, _, found := strings.Cut(string(text), `stack "rabbitmq"`)
	if !found {
		return fmt.Errorf("%s has no stack rabbitmq", l.Inventory())
	}
	path := filepath.Join(l.Dir(), "consul.hcl")
	if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
		return err
	}
	defer os.Remove(path)
	if out, err := l.Rmqprov(ctx, "apply", "--yes", path).CombinedOutput(); err != nil {
		return fmt.Errorf("applying the inventory up to Consul: %w:\n%s", err, out)
	}
	return l.Do(ctx, "throttle", l.Hosts()[0].Name, slowCores)
}
