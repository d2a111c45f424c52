package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// consent is how an apply comes to be allowed.
type consent int

const (
	given    consent = iota // go ahead
	asked                   // if somebody says so
	withheld                // nobody can be asked, and it would hurt
)

// decide says whether a plan may be carried out: with --yes always; on a
// terminal when the user says so; otherwise only if it takes away or restarts
// nothing that runs.
func decide(yes, interactive bool, disruptive []plan.Step) consent {
	switch {
	case yes:
		return given
	case interactive:
		return asked
	case len(disruptive) > 0:
		return withheld
	}
	return given
}

// approve asks where it must, and returns an error where apply may not go
// ahead.
func (a *app) approve(ctx context.Context, p *plan.Plan, cluster string, yes bool) error {
	disruptive := p.Disruptive()
	switch decide(yes, a.interactive(), disruptive) {
	case withheld:
		return refusal(disruptive)
	case asked:
		fmt.Fprint(a.Stderr, a.interruptions(disruptive))
		fmt.Fprintf(a.Stderr, "\nApply this to cluster %s? Only yes goes ahead: ", cluster)
		answer, err := readLine(ctx, a.Stdin)
		if err != nil {
			fmt.Fprintln(a.Stderr)
			return err
		}
		if !isYes(answer) {
			return fmt.Errorf("not approved; nothing was changed")
		}
	}
	return nil
}

// shownInterruptions bounds the list that stands above the question.
const shownInterruptions = 12

// interruptions says what the plan restarts or takes away: it stands far above
// in a long plan, and is what the answer depends on.
func (a *app) interruptions(disruptive []plan.Step) string {
	if len(disruptive) == 0 {
		return "\nNothing that runs is restarted or taken away.\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%sInterrupts what runs, in %s:%s\n", a.style("1;31"), count(len(disruptive), "step", "steps"), a.style("0"))
	for i, s := range disruptive {
		if i == shownInterruptions {
			fmt.Fprintf(&b, "  … and %d more\n", len(disruptive)-i)
			break
		}
		where := ""
		if s.Host != "" {
			where = s.Host + ": "
		}
		fmt.Fprintf(&b, "  ! %s%s  (%s)\n", where, s.Disrupts, s.Why)
	}
	return b.String()
}

func isYes(answer string) bool {
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "yes" || answer == "y"
}

// refusal names the steps that nobody approved.
func refusal(disruptive []plan.Step) error {
	var b strings.Builder
	b.WriteString("the plan restarts or takes away what runs, and there is no terminal to ask on; nothing was changed:")
	for _, s := range disruptive {
		fmt.Fprintf(&b, "\n  - %s: %s (%s)", s.ID, s.Disrupts, s.Why)
	}
	b.WriteString("\n→ read the plan with `rmqprov plan`, then run apply with --yes")
	return fmt.Errorf("%s", b.String())
}

// readLine reads one line, or returns early when the context ends. The read
// itself cannot be broken off; it ends with the process.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := bufio.NewReader(in).ReadString('\n')
		if err == io.EOF {
			err = nil
		}
		read <- result{line, err}
	}()
	select {
	case r := <-read:
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
