package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/cloud"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/preflight"
	"github.com/rmqprov/rmqprov/provision/state"
)

func doctorCommand(a *app) *cobra.Command {
	var s source
	c := &cobra.Command{
		Use:   "doctor [FILE]",
		Short: "Look for what would keep apply from its work; change nothing",
		Long: `Looks at this machine's keys, at what AWS allows where the inventory has a security group, at every host,
and at the ways between the hosts: ports, packet size, clocks, memory, disk, address ranges, sshd's
limits. It can be asked at any time, before a first
apply as well as of a cluster that runs. Exit 0 only when nothing is wrong.`,
		Example: `  rmqprov doctor
  rmqprov doctor prod.hcl`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s.file = optionalFile(args)
			return a.doctor(c.Context(), s)
		},
	}
	s.flags(c)
	return c
}

func (a *app) doctor(ctx context.Context, s source) error {
	want, err := a.load(s)
	if err != nil {
		return err
	}
	local := examineMachine(want.Inventory, os.Getenv("SSH_AUTH_SOCK"))
	seen, err := a.observe(ctx, want, 0)
	if err != nil {
		a.diagnose(local) // it may be the reason
		return err
	}
	defer seen.Close()
	steps, refused := plan.Checkup(seen.want, seen.got)
	done := a.notice("Trying the ways between them …")
	reports := seen.examineWays(ctx, steps)
	done()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	findings := append(local, examineClock(seen.got)...)
	findings = append(findings, a.examineRights(ctx, seen)...)
	findings = append(findings, refusals(refused, "")...)
	for _, h := range seen.want.Inventory.Hosts {
		findings = append(findings, seen.examineHost(h)...)
		findings = append(findings, refusals(refused, h.Name)...)
		findings = append(findings, reports[h.Name]...)
	}
	return a.diagnose(findings)
}

// verdict is how a finding is to be taken.
type verdict string

const (
	well  verdict = "ok"
	note  verdict = "note"
	wrong verdict = "WRONG"
)

// finding is one thing that was looked at.
type finding struct {
	place string // "this machine", "the cluster" or a host
	verdict
	text, fix string
}

const (
	here    = "this machine"
	account = "AWS"
	cluster = "the cluster"
)

// diagnose prints the findings; its error is the exit status where one is wrong.
func (a *app) diagnose(findings []finding) error {
	if err := writeFindings(a.Stdout, findings); err != nil {
		return err
	}
	if slices.ContainsFunc(findings, func(f finding) bool { return f.verdict == wrong }) {
		return exit{status: statusFailed}
	}
	return nil
}

func writeFindings(w io.Writer, findings []finding) error {
	var b strings.Builder
	place, bad := "", 0
	for _, f := range findings {
		if f.place != place {
			place = f.place
			b.WriteString(place + "\n")
		}
		fmt.Fprintf(&b, "  %-5s  %s\n", f.verdict, indented(f.text, "         "))
		if f.fix != "" {
			fmt.Fprintf(&b, "         → %s\n", indented(f.fix, "           "))
		}
		if f.verdict == wrong {
			bad++
		}
	}
	if bad == 0 {
		b.WriteString("\nNothing is wrong.\n")
	} else {
		fmt.Fprintf(&b, "\n%s wrong.\n", count(bad, "thing is", "things are"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// examineMachine looks at the keys of this machine. Whether the hosts take them
// shows when they are logged in to.
func examineMachine(inv *inventory.Inventory, agent string) []finding {
	var keys []string
	for _, path := range append([]string{inv.SSH.Identity}, identities(inv.Hosts)...) {
		if path != "" && !slices.Contains(keys, path) {
			keys = append(keys, path)
		}
	}
	var found []finding
	for _, path := range keys {
		found = append(found, examineKey(path))
	}
	switch {
	case inv.SSH.InstanceConnect:
		return []finding{{here, well, "no key is needed: EC2 Instance Connect lets one in for each login", ""}}
	case len(keys) == 0:
		found = append(found, examineAgent(agent))
	}
	return found
}

func identities(hosts []inventory.Host) []string {
	var paths []string
	for _, h := range hosts {
		paths = append(paths, h.Identity)
	}
	return paths
}

func examineKey(path string) finding {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding{here, wrong, "key " + path + " is not there", "correct identity in the inventory"}
	case err != nil:
		return finding{here, wrong, "key " + path + ": " + err.Error(), ""}
	case info.Mode().Perm()&0o077 != 0:
		return finding{here, wrong, fmt.Sprintf("others can read key %s (mode %04o), and ssh would refuse it", path, info.Mode().Perm()), "chmod 600 " + path}
	}
	return finding{here, well, "key " + path, ""}
}

// examineAgent looks at the socket of ssh-agent; without one the keys are those
// of ssh_config and the default ones.
func examineAgent(socket string) finding {
	if socket == "" {
		return finding{here, note, "the inventory names no key, and no ssh-agent runs: keys are those of ssh_config and ~/.ssh", ""}
	}
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return finding{here, wrong, "ssh-agent does not answer: " + err.Error(), "start it anew, or name a key: ssh { identity = \"…\" }"}
	}
	conn.Close()
	return finding{here, well, "ssh-agent answers", ""}
}

// askew is how far this machine's clock may be from what all hosts agree on.
const askew = 30 * time.Second

// examineClock finds that it is this machine's clock which is wrong: all hosts
// are off by the same.
func examineClock(got state.Snapshot) []finding {
	var skews []time.Duration
	for _, h := range got.Hosts {
		if h.Facts.Err == nil {
			skews = append(skews, h.Facts.Value.Skew)
		}
	}
	if len(skews) < 2 {
		return nil
	}
	least, most := slices.Min(skews), slices.Max(skews)
	if most-least > askew || least.Abs() < askew || most.Abs() < askew {
		return nil
	}
	return []finding{{here, wrong, fmt.Sprintf("its clock is %s away from that of all hosts", least.Abs()), "set it right"}}
}

// examineRights tries what these credentials may do in EC2. Finding the hosts has
// shown already that they are taken.
func (a *app) examineRights(ctx context.Context, seen *observed) []finding {
	group := seen.got.Group.Value
	if group == nil {
		return nil
	}
	rights, err := a.cloud.Rights(ctx, seen.want.Inventory, group)
	if err != nil {
		return []finding{{account, wrong, err.Error(), ""}}
	}
	return rightsFound(rights)
}

// rightsFound tells the rights that are there in one line, and each that is not.
func rightsFound(rights []cloud.Right) []finding {
	var found []finding
	var granted []string
	for _, r := range rights {
		denied, ok := errors.AsType[*cloud.Denied](r.Err)
		switch {
		case r.Err == nil:
			granted = append(granted, r.Action)
		case ok:
			found = append(found, finding{account, wrong, "these credentials may not do " + denied.Action, "docs/ec2.md has the policy with all that rmqprov needs"})
		default:
			found = append(found, finding{account, note, "whether " + r.Action + " is allowed could not be told: " + r.Err.Error(), ""})
		}
	}
	if len(granted) > 0 {
		found = slices.Insert(found, 0, finding{account, well, "these credentials may do " + strings.Join(granted, ", "), ""})
	}
	return found
}

// examineHost says what a host is, or why it could not be seen.
func (o *observed) examineHost(h inventory.Host) []finding {
	if err := o.hostError(h.Name); err != nil {
		return []finding{{h.Name, wrong, "it could not be seen: " + err.Error(), ""}}
	}
	seen := o.got.Hosts[h.Name]
	f, docker := seen.Facts.Value, "no Docker yet"
	if e := seen.Engine.Value; e != nil {
		docker = "Docker " + e.Version
	}
	return []finding{{h.Name, well, fmt.Sprintf("%s, %s, %.1f GiB of memory, %.1f GiB free, clock %+.0f s",
		f.OS.Pretty, docker, gib(f.Memory), gib(f.DiskFree), f.Skew.Seconds()), ""}}
}

func gib(bytes int64) float64 { return float64(bytes) / (1 << 30) }

// refusals are those of a host, "" being the cluster.
func refusals(refused plan.Refused, host string) []finding {
	var found []finding
	for _, r := range refused {
		if r.Host != host {
			continue
		}
		f := finding{place: host, verdict: wrong, text: r.Reason, fix: r.Fix}
		if host == "" {
			f.place = cluster
		}
		found = append(found, f)
	}
	return found
}

// examining bounds the hosts that are tried at once.
const examining = 16

// examineWays tries how the hosts reach each other.
func (o *observed) examineWays(ctx context.Context, steps []plan.Step) map[string][]finding {
	found := map[string][]finding{}
	slots := make(chan struct{}, examining)
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, s := range steps {
		check := s.Action.(plan.Preflight)
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			r, err := o.Preflight(ctx, s.Host, check)
			mu.Lock()
			defer mu.Unlock()
			found[s.Host] = examineReport(s.Host, check, r, err)
		})
	}
	all.Wait()
	return found
}

func examineReport(host string, check plan.Preflight, r preflight.Report, err error) []finding {
	if err != nil {
		return []finding{{host, wrong, "how it is reached could not be tried: " + err.Error(), ""}}
	}
	var found []finding
	for _, p := range r.Problems {
		found = append(found, finding{host, wrong, p.Reason, p.Fix})
	}
	if len(r.Problems) == 0 && len(check.In) > 0 {
		text := fmt.Sprintf("reached from %s, with packets of %d bytes", count(len(check.In), "other host", "other hosts"), check.Packet)
		found = append(found, finding{host, well, text, ""})
	}
	for _, n := range r.Notes {
		found = append(found, finding{host, note, n, ""})
	}
	return found
}
