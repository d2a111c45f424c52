package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

type benchOptions struct{ fresh, idle, starts int }

// runLimit ends a measured run that hangs.
const runLimit = 10 * time.Minute

// password is the administrator's in measured clusters: a given one, as rmqprov then has as much to
// do as the floor.
const password = "bench-Password.2357"

// settle lets hosts that have just booted become idle. It is in no figure.
const settle = 3 * time.Second

//go:embed floor.sh
var floorScript []byte

// benchmark is one session of measuring.
type benchmark struct {
	lab   *lab.Lab
	work  string // directory with what the floor's script needs
	out   io.Writer
	apply series
	floor series
	idle  series
	look  series
	start series

	logins int // most SSH connections that one host let in during one apply
}

func bench(ctx context.Context, o benchOptions, out io.Writer) error {
	l, err := lab.New("bench", "10.79.0.0/24", io.Discard)
	if err != nil {
		return err
	}
	l.Password = password
	work, err := os.MkdirTemp("", "rmqbench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	defer l.Down(context.WithoutCancel(ctx))
	b := &benchmark{lab: l, work: work, out: out}
	if err := b.measure(ctx, o); err != nil {
		return err
	}
	return report(out, b.rows(), b.logins)
}

func (b *benchmark) measure(ctx context.Context, o benchOptions) error {
	if err := b.starts(ctx, o.starts); err != nil {
		return err
	}
	for i := range o.fresh {
		b.say("bare hosts, run %d of %d", i+1, o.fresh)
		if err := b.freshApply(ctx); err != nil {
			return err
		}
		if i == 0 {
			if err := b.idles(ctx, o.idle); err != nil {
				return err
			}
			if err := b.takeFiles(ctx); err != nil {
				return err
			}
		}
		if err := b.freshFloor(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *benchmark) say(format string, args ...any) { fmt.Fprintf(b.out, "==> "+format+"\n", args...) }

// starts measures how long the binary takes to start, do next to nothing, and end.
func (b *benchmark) starts(ctx context.Context, n int) error {
	b.say("starting the binary %d times", n)
	for range n {
		if err := b.start.time(b.lab.Rmqprov(ctx, "version").Run); err != nil {
			return fmt.Errorf("rmqprov version: %w", err)
		}
	}
	return nil
}

func (b *benchmark) bareHosts(ctx context.Context) error {
	if err := b.lab.Up(ctx, 3, "debian13"); err != nil {
		return err
	}
	time.Sleep(settle)
	return nil
}

func (b *benchmark) freshApply(ctx context.Context) error {
	if err := b.bareHosts(ctx); err != nil {
		return err
	}
	before, err := b.countLogins(ctx)
	if err != nil {
		return err
	}
	if err := b.apply.time(func() error { _, err := b.lab.Apply(ctx); return err }); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "    rmqprov apply   %s\n", seconds(b.apply.last()))
	after, err := b.countLogins(ctx)
	if err != nil {
		return err
	}
	for host := range after {
		b.logins = max(b.logins, after[host]-before[host])
	}
	return b.lab.Whole(ctx)
}

func (b *benchmark) countLogins(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	for _, h := range b.lab.Hosts() {
		n, err := b.lab.Logins(ctx, h.Name)
		if err != nil {
			return nil, err
		}
		counts[h.Name] = n
	}
	return counts, nil
}

// takeFiles fetches what rmqprov has put on the hosts, for the floor to put there itself.
func (b *benchmark) takeFiles(ctx context.Context) error {
	const pack = "tar -C /etc/rmqprov/rmq -c stacks -C /etc/docker daemon.json\n"
	archive, err := b.lab.Root(ctx, b.lab.Hosts()[0].Name, pack)
	if err != nil {
		return err
	}
	if err := unpack(strings.NewReader(archive), b.work); err != nil {
		return fmt.Errorf("unpacking the stack files: %w", err)
	}
	return os.WriteFile(filepath.Join(b.work, "floor.sh"), floorScript, 0o755)
}

func (b *benchmark) freshFloor(ctx context.Context) error {
	if err := b.bareHosts(ctx); err != nil {
		return err
	}
	for _, name := range []string{"key", "known_hosts"} {
		content, err := os.ReadFile(filepath.Join(b.lab.Dir(), name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(b.work, name), content, 0o600); err != nil {
			return err
		}
	}
	if err := b.floor.time(func() error { return b.runFloor(ctx) }); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "    the floor       %s\n", seconds(b.floor.last()))
	return b.lab.Whole(ctx)
}

func (b *benchmark) runFloor(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	args := []string{filepath.Join(b.work, "floor.sh"), b.work}
	for _, h := range b.lab.Hosts() {
		args = append(args, h.Address)
	}
	return runGroup(ctx, "bash", args...)
}

// idles measures, in turn, an apply that has nothing to do, and the least that looks at as much:
// three commands on every host at once.
func (b *benchmark) idles(ctx context.Context, n int) error {
	b.say("nothing to do, %d runs", n)
	for range n {
		if err := b.idle.time(func() error { return b.idleApply(ctx) }); err != nil {
			return err
		}
		if err := b.look.time(func() error { return b.lookAt(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

func (b *benchmark) idleApply(ctx context.Context) error {
	out, err := b.lab.Apply(ctx)
	if err == nil && !strings.Contains(out, "Nothing to do") {
		err = fmt.Errorf("rmqprov apply found something to do on a cluster that it had just made:\n%s", out)
	}
	return err
}

func (b *benchmark) lookAt(ctx context.Context) error {
	const look = "sudo sh -c 'docker node ls; docker service ls; docker info'"
	group, ctx := errgroup.WithContext(ctx)
	for _, h := range b.lab.Hosts() {
		group.Go(func() error {
			if out, err := b.lab.SSH(ctx, h, look).CombinedOutput(); err != nil {
				return fmt.Errorf("ssh %s: %w: %s", h.Name, err, out)
			}
			return nil
		})
	}
	return group.Wait()
}

func (b *benchmark) rows() []row {
	return []row{
		{"three bare hosts", b.apply, b.floor, 1.2, 0},
		{"nothing to do", b.idle, b.look, 1.0, 0},
		{"start of the binary", b.start, nil, 0, 50 * time.Millisecond},
	}
}
