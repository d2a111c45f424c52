package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision"
)

// logging are the choices of one logs.
type logging struct {
	source
	since  string
	tail   string
	follow bool
}

func logsCommand(a *app) *cobra.Command {
	var o logging
	c := &cobra.Command{
		Use:   "logs [FILE] SERVICE",
		Short: "Show a service's logs from all hosts, in the order of time",
		Long: `Shows what the containers of a service said on all hosts, those that have ended too, as TIME HOST SERVICE
TEXT. SERVICE is a service (rabbitmq-01, or STACK/SERVICE), or a stack for all its services. Each host is
asked by itself, so it works when the swarm does not. A host that does not answer is named, and the others are
shown; the exit status is then 1. Times are of the hosts' own clocks.`,
		Example: `  rmqprov logs rabbitmq
  rmqprov logs prod.hcl rabbitmq-02 --since 10m
  rmqprov logs prod.hcl haproxy --tail 20 --follow`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = optionalFile(args[:len(args)-1])
			return a.logs(c.Context(), o, args[len(args)-1])
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.since, "since", "", "only what was said since a `TIME`, as 10m or 2026-01-31T12:00:00Z")
	c.Flags().StringVar(&o.tail, "tail", "1000", "the last so many lines of each container, or all")
	c.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on with what is said, until interrupted")
	return c
}

func (a *app) logs(ctx context.Context, o logging, name string) (err error) {
	options := provision.LogOptions{Follow: o.follow}
	if options.Since, err = sinceTime(o.since, time.Now()); err != nil {
		return err
	}
	if options.Tail, err = tailLines(o.tail); err != nil {
		return err
	}
	want, err := a.load(o.source)
	if err != nil {
		return err
	}
	services, err := findServices(want.Stacks, name)
	if err != nil {
		return err
	}
	session, err := a.open(ctx, want, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	p := &logPrinter{out: a.Stdout, colour: a.colour(a.StdoutTerminal, a.noColour)}
	for _, h := range session.want.Inventory.Hosts {
		p.host = max(p.host, len(h.Name))
	}
	for _, s := range services {
		p.service = max(p.service, len(s))
	}
	silent := false
	err = session.Logs(ctx, services, options, p.print, func(host string, err error) {
		silent = true
		fmt.Fprintf(a.Stderr, "rmqprov: warning: without the logs of host %s: %v\n", host, err)
	})
	switch {
	case err != nil:
		return err
	case p.err != nil:
		return p.err
	case silent:
		return exit{status: statusFailed}
	}
	return nil
}

// sinceTime reads how long ago, or a time.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("--since takes a time as 10m, 2h or 2026-01-31T12:00:00Z, not %q", text)
	}
	return t, nil
}

func tailLines(text string) (int, error) {
	if text == "all" {
		return -1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("--tail takes a number of lines or all, not %q", text)
	}
	return n, nil
}

// findServices finds the swarm services that are meant by a stack's name, by
// STACK/SERVICE, by the swarm's own STACK_SERVICE, or by a service's name where
// only one stack has it.
func findServices(stacks []playbooks.Stack, name string) ([]string, error) {
	var known, matches []string
	for _, s := range stacks {
		var all []string
		for _, svc := range s.Services {
			short := strings.TrimPrefix(svc.Name, s.Name+"_")
			all, known = append(all, svc.Name), append(known, s.Name+"/"+short)
			if slices.Contains([]string{short, svc.Name, s.Name + "/" + short}, name) {
				matches = append(matches, svc.Name)
			}
		}
		if s.Name == name {
			return all, nil
		}
	}
	return matches, oneOf("service", name, matches, known)
}

// logPrinter writes lines, each container's in a colour of its own.
type logPrinter struct {
	out           io.Writer
	colour        bool
	host, service int // widths of the columns
	err           error
}

// logColours are colours that can be read on dark and on light.
var logColours = []int{36, 33, 32, 35, 34, 96, 93, 92, 95, 94}

func (p *logPrinter) print(l provision.LogLine) {
	if p.err != nil {
		return
	}
	head := fmt.Sprintf("%s %-*s %-*s", l.Time.UTC().Format("2006-01-02T15:04:05.000Z"), p.host, l.Host, p.service, l.Service)
	if p.colour {
		sum := fnv.New32a()
		io.WriteString(sum, l.Container)
		head = fmt.Sprintf("\x1b[%dm%s\x1b[0m", logColours[int(sum.Sum32()%uint32(len(logColours)))], head)
	}
	_, p.err = fmt.Fprintf(p.out, "%s  %s\n", head, l.Text)
}
