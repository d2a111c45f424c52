package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/provision/cloud"
)

// The exit statuses that scripts may rely on.
const (
	statusDone        = 0
	statusFailed      = 1
	statusChanges     = 2 // plan --detailed-exitcode only
	statusInterrupted = 130
)

// statuses say what they mean, for people.
var statuses = []struct {
	status int
	means  string
}{
	{statusDone, "done"},
	{statusFailed, "failed"},
	{statusChanges, "changes (`plan --detailed-exitcode` only)"},
	{statusInterrupted, "interrupted"},
}

// exit ends a run with a status. Its error is printed; nil: all has been said.
type exit struct {
	status int
	err    error
}

func (e exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// misuse is a command line that makes no sense.
type misuse struct {
	err  error
	verb string
}

func (m misuse) Error() string {
	return fmt.Sprintf("%v\n→ `%s --help` shows how it is used", m.err, m.verb)
}

// app is one run of the program.
type app struct {
	environment
	noColour bool
	stop     *interrupts
	cloud    *cloud.EC2           // nil: the inventory needs no EC2
	files    map[string]*hcl.File // of the inventory, for what is found wrong with it later
}

// run carries out a command line and returns the exit status.
func run(env environment) int {
	ctx, stop := watch(env.Signals)
	defer stop.end()
	a := &app{environment: env, stop: stop}
	root := a.command()
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	return a.status(ctx, root.ExecuteContext(ctx))
}

// status prints what went wrong and says which exit status that is.
func (a *app) status(ctx context.Context, err error) int {
	if err == nil {
		return statusDone
	}
	end, ok := errors.AsType[exit](err)
	switch {
	case ok && end.err == nil:
		return end.status
	case errors.Is(err, syscall.EPIPE): // the reader has seen enough, as head has
		return statusFailed
	case ctx.Err() != nil:
		fmt.Fprintln(a.Stderr, "rmqprov: interrupted")
		return statusInterrupted
	case !ok:
		end.status = statusFailed
	}
	fmt.Fprintf(a.Stderr, "rmqprov: %serror:%s %v\n", a.style("1;31"), a.style("0"), err)
	return end.status
}

// style is an escape sequence for stderr, "" where it takes none.
func (a *app) style(code string) string {
	if !a.colour(a.StderrTerminal, a.noColour) {
		return ""
	}
	return "\x1b[" + code + "m"
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "rmqprov",
		Short: "Turn hosts that SSH reaches into a RabbitMQ cluster",
		Long: `rmqprov turns hosts that SSH reaches into a cluster: Docker on every host, a swarm across them,
and stacks from playbooks (Consul, RabbitMQ, HAProxy, your own), in order and each proven healthy
before the next. It compares the inventory with what is there and does what is missing; nothing is
kept on this machine.

FILE is an inventory file, or a folder whose *.hcl files are one inventory. Without it, it is
inventory.hcl here.

Exit status: 0 done, 1 failed, 2 changes (plan --detailed-exitcode only), 130 interrupted.`,
		Example: `  rmqprov init                 # writes inventory.hcl, to be edited
  rmqprov validate             # checks it, touching no host
  rmqprov plan                 # says what apply would do, and why
  rmqprov apply                # does it`,
		SilenceUsage:  true,
		SilenceErrors: true,

		SuggestionsMinimumDistance: 2,
		Args:                       knownVerb,
		RunE:                       func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().BoolVar(&a.noColour, "no-color", false, "no colours and no motion, as with NO_COLOR set")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return misuse{err, c.CommandPath()} })
	for _, make := range []func(*app) *cobra.Command{
		initCommand, validateCommand, fmtCommand, planCommand, applyCommand, replaceCommand, recoverCommand, rebootCommand, backupCommand, restoreCommand, destroyCommand, verifyCommand, statusCommand, doctorCommand, historyCommand,
		secretCommand, sshCommand, logsCommand, tunnelCommand, graphCommand, playbookCommand, versionCommand, manCommand,
	} {
		root.AddCommand(explainMisuse(make(a)))
	}
	a.complete(root)
	return root
}

// knownVerb complains about a first word that is no verb.
func knownVerb(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no verb %q", args[0])
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return misuse{errors.New(text), c.CommandPath()}
}

// explainMisuse makes a verb's complaint about its arguments say where the
// way to use it stands.
func explainMisuse(c *cobra.Command) *cobra.Command {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return misuse{err, c.CommandPath()}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		explainMisuse(sub)
	}
	return c
}

// optionalFile takes the inventory from the arguments of a verb.
func optionalFile(args []string) string {
	if len(args) == 0 {
		return defaultFile
	}
	return args[0]
}

// defaultFile is the inventory where none is named.
const defaultFile = "inventory.hcl"

// looksLikeFile tells an inventory from the name of a host. A file with a
// name of neither form is written ./NAME.
func looksLikeFile(arg string) bool {
	return strings.HasSuffix(arg, ".hcl") || strings.ContainsAny(arg, `/\`) || arg == "." || arg == ".."
}
