package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// forceAsk stands for the flag without a name: it is asked for.
const forceAsk = "ask"

// forceFlag adds the only way around what protects majorities.
func (s *source) forceFlag(c *cobra.Command) {
	c.Flags().StringVar(&s.force, "force-quorum-loss", "", "go on where a majority of the swarm, or of a stack's members, would be lost; asks for the `CLUSTER`'s name, or is given it; recorded in the history")
	c.Flags().Lookup("force-quorum-loss").NoOptDefVal = forceAsk
}

// checkForce refuses the name of another cluster, and none where nobody can be asked.
func (a *app) checkForce(force, cluster string) error {
	switch {
	case force == "", force == cluster:
		return nil
	case force != forceAsk:
		return fmt.Errorf("--force-quorum-loss names %s, and the cluster of this inventory is %s; nothing was changed", force, cluster)
	case !a.interactive():
		return fmt.Errorf("--force-quorum-loss asks for the cluster's name, and there is no terminal to ask on; nothing was changed\n→ give it: --force-quorum-loss=%s", cluster)
	}
	return nil
}

// askForce gets leave to lose a majority by the cluster's name, where it was not given.
func (a *app) askForce(ctx context.Context, force, cluster string) error {
	if force != forceAsk || force == cluster {
		return nil
	}
	fmt.Fprintf(a.Stderr, "\nThis may stop the majority of the swarm or of a stack, and lose what only that had. Only the cluster's name, %s, goes ahead: ", cluster)
	answer, err := readLine(ctx, a.Stdin)
	if err != nil {
		fmt.Fprintln(a.Stderr)
		return err
	}
	if strings.TrimSpace(answer) != cluster {
		return fmt.Errorf("not approved; nothing was changed")
	}
	return nil
}
