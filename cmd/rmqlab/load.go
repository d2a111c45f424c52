package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/hosts"
	"github.com/rmqprov/rmqprov/cmd/rmqlab/load"
)

type loadOptions struct {
	rate, queues int
	length       time.Duration
	user, from   string
	asJSON       bool
}

func loadCommand(t *target) *cobra.Command {
	var o loadOptions
	cmd := &cobra.Command{
		Use:   "load [HOST[:PORT]…]",
		Short: "Publish and consume through all hosts, and say what was lost and how long it paused",
		Long: `Publishes small messages with confirms to quorum queues and consumes them with acknowledgements, through
the HAProxy of every host, until --for is over or ^C. It does what a good client does: connections spread over
the hosts, short heartbeats, a connection given up that is not acknowledged for 2 s or confirms nothing for 5 s,
and what was not confirmed published again. Then it drains the queues and gives account of every message. Exit 1 when a confirmed one is lost.

Without HOST it goes to the hosts of the lab, and follows when one is replaced. The password is read from standard
input, or from a file; instead of it there may be AMQP URLs, one a line, which bring their own hosts.`,
		Example: `  rmqprov secret .lab/lab.hcl show rabbitmq/admin_password | rmqlab load --for 1m
  rmqlab load --password-file url.txt --rate 2000 --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.rate < 1 || o.queues < 1 {
				return errors.New("--rate and --queues are at least 1")
			}
			return runLoad(cmd.Context(), *t, o, args, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.rate, "rate", 1000, "messages a second")
	f.IntVar(&o.queues, "queues", 3, "quorum queues")
	f.DurationVar(&o.length, "for", 0, "how long to publish; 0: until ^C")
	f.StringVar(&o.user, "user", "admin", "who logs in")
	f.StringVar(&o.from, "password-file", "-", "file with the password, or with AMQP URLs; -: standard input")
	f.BoolVar(&o.asJSON, "json", false, "the report as JSON")
	return cmd
}

func runLoad(ctx context.Context, t target, o loadOptions, args []string, in io.Reader, out, log io.Writer) error {
	text, err := readCredentials(o.from, in)
	if err != nil {
		return err
	}
	login, urls, err := parseCredentials(text, o.user)
	if err != nil {
		return err
	}
	fixed := append(withPort(args), urls...)
	list := func() []string { return fixed }
	if len(fixed) == 0 {
		lab, err := t.open(ctx)
		if err != nil {
			return err
		}
		if list, err = follow(ctx, lab); err != nil {
			return err
		}
	}
	context.AfterFunc(ctx, func() { signal.Reset() }) // a second ^C breaks the draining off
	report, err := load.Run(ctx, load.Options{
		Rate: o.rate, For: o.length, Queues: o.queues, Hosts: list, Dial: login.Dial, Say: sayer(log),
	})
	if report == nil {
		return err
	}
	return errors.Join(printReport(report, o.asJSON, out), report.Err(), err)
}

func printReport(r *load.Report, asJSON bool, out io.Writer) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	return r.Text(out)
}

// sayer writes lines with the time before them; the load speaks from many goroutines.
func sayer(w io.Writer) func(string, ...any) {
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%s %s\n", time.Now().Format("15:04:05.0"), fmt.Sprintf(format, args...))
	}
}

func readCredentials(from string, in io.Reader) (string, error) {
	if from != "-" {
		data, err := os.ReadFile(from)
		return string(data), err
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return "", fmt.Errorf("reading the password from standard input: %w", err)
	}
	return string(data), nil
}

// parseCredentials reads a password, or AMQP URLs, one a line, with the same login in all. Its
// errors say nothing of what it read.
func parseCredentials(text, user string) (load.Login, []string, error) {
	lines := strings.Fields(text)
	if len(lines) == 0 {
		return load.Login{}, nil, errors.New("there is no password: pipe that of `rmqprov secret FILE show rabbitmq/admin_password` in, or name a file with --password-file")
	}
	if !strings.HasPrefix(lines[0], "amqp:") {
		return load.Login{User: user, Password: lines[0], VHost: "/"}, nil, nil
	}
	var login load.Login
	var addresses []string
	for i, line := range lines {
		uri, err := amqp.ParseURI(line)
		if err != nil {
			return load.Login{}, nil, fmt.Errorf("line %d of the credentials is not an AMQP URL, such as amqp://USER:PASSWORD@HOST:5672/", i+1)
		}
		login = load.Login{User: uri.Username, Password: uri.Password, VHost: uri.Vhost}
		addresses = append(addresses, net.JoinHostPort(uri.Host, fmt.Sprint(uri.Port)))
	}
	return login, addresses, nil
}

func withPort(args []string) []string {
	var out []string
	for _, a := range args {
		if _, _, err := net.SplitHostPort(a); err != nil {
			a = net.JoinHostPort(a, "5672")
		}
		out = append(out, a)
	}
	return out
}

// follow returns the addresses of a lab's hosts, and looks every few seconds whether they are
// still the same: a host that is replaced gets a new address, which clients learn from DNS.
func follow(ctx context.Context, lab *hosts.Lab) (func() []string, error) {
	var mu sync.Mutex
	var known []string
	look := func() error {
		all, err := lab.Hosts(ctx)
		if err != nil || len(all) == 0 {
			return errors.Join(err, errors.New("the lab has no hosts: start it with `rmqlab up`"))
		}
		var found []string
		for _, h := range all {
			found = append(found, net.JoinHostPort(h.Address.String(), "5672"))
		}
		mu.Lock()
		defer mu.Unlock()
		known = found
		return nil
	}
	if err := look(); err != nil {
		return nil, err
	}
	go func() {
		for ticks := time.Tick(3 * time.Second); ctx.Err() == nil; {
			select {
			case <-ticks:
				_ = look() // where the engine cannot say, what it said before stands
			case <-ctx.Done():
			}
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return known
	}, nil
}
