package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/provision"
)

func verifyCommand(a *app) *cobra.Command {
	var s source
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Prove from outside that the cluster works",
		Long: `Asks every gate of every stack once, and makes every proof through every host: for RabbitMQ that a
message published with a confirm through one host is consumed through another. Exit 0 only when
all hold.`,
		Example: `  rmqprov verify
  rmqprov verify prod.hcl --json | jq '.checks[] | select(.ok | not)'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s.file = optionalFile(args)
			return a.verify(c.Context(), s, asJSON)
		},
	}
	s.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the checks as JSON")
	return c
}

func (a *app) verify(ctx context.Context, s source, asJSON bool) error {
	want, err := a.load(s)
	if err != nil {
		return err
	}
	seen, err := a.observe(ctx, want, 0)
	if err != nil {
		return err
	}
	defer seen.Close()
	if seen.got.Swarm.Value == nil { // no check could be made
		return cmp.Or(seen.trouble(), seen.got.Swarm.Err, errors.New("no host is in a swarm; nothing has been applied yet"))
	}
	done := a.notice("Proving …")
	checks := append(seen.unseen(), seen.Verify(ctx, seen.want)...)
	done()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	print := writeChecks
	if asJSON {
		print = writeChecksJSON
	}
	if err := print(a.Stdout, checks); err != nil {
		return err
	}
	if !hold(checks) {
		return exit{status: statusFailed}
	}
	return nil
}

// unseen is a failed check for each host that could not be seen.
func (o *observed) unseen() []provision.Check {
	var checks []provision.Check
	for _, h := range o.want.Inventory.Hosts {
		if err := o.hostError(h.Name); err != nil {
			checks = append(checks, provision.Check{Stack: "host", Name: "seen", Host: h.Name, Detail: err.Error()})
		}
	}
	return checks
}

// hold says that all checks do. No check at all proves nothing.
func hold(checks []provision.Check) bool {
	for _, c := range checks {
		if !c.OK {
			return false
		}
	}
	return len(checks) > 0
}

func writeChecks(w io.Writer, checks []provision.Check) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	failed := 0
	for _, c := range checks {
		verdict := "ok"
		if !c.OK {
			verdict = "FAILED"
			failed++
		}
		fmt.Fprintf(t, "%s\t%s/%s\t%s\t%s\t%s\n", verdict, c.Stack, c.Name, c.Host, seconds(c.Took), indented(c.Detail, "        "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var err error
	switch {
	case len(checks) == 0:
		_, err = fmt.Fprintln(w, "Nothing is proven: the stacks have no gates and no proofs.")
	case failed == 0:
		_, err = fmt.Fprintf(w, "\nAll hold: %s.\n", count(len(checks), "check", "checks"))
	default:
		_, err = fmt.Fprintf(w, "\n%d of %d checks failed.\n", failed, len(checks))
	}
	return err
}

func writeChecksJSON(w io.Writer, checks []provision.Check) error {
	if checks == nil {
		checks = []provision.Check{}
	}
	return writeJSON(w, struct {
		OK     bool              `json:"ok"`
		Checks []provision.Check `json:"checks"`
	}{hold(checks), checks})
}

func writeJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(v)
}
