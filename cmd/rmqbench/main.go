// Command rmqbench measures rmqprov on the lab's hosts: its speed against a hand-tuned parallel
// script that does the same job, and whether it forms one cluster every time.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "rmqbench: error:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "rmqbench",
		Short:         "Measures rmqprov on the lab's hosts",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(runCommand(), soakCommand())
	return root
}

func runCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Compare rmqprov with a hand-tuned parallel script, in turn on the same hosts",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return bench(cmd.Context(), o, cmd.OutOrStdout()) },
	}
	cmd.Flags().IntVar(&o.fresh, "fresh-runs", 3, "how often each provisions bare hosts")
	cmd.Flags().IntVar(&o.idle, "idle-runs", 15, "how often each looks at a cluster with nothing to do")
	cmd.Flags().IntVar(&o.starts, "starts", 25, "how often the binary is started")
	return cmd
}

func soakCommand() *cobra.Command {
	var runs int
	cmd := &cobra.Command{
		Use:   "soak",
		Short: "Form the cluster fresh again and again; every fourth time the first member's host is slow",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return soak(cmd.Context(), runs, cmd.OutOrStdout()) },
	}
	cmd.Flags().IntVar(&runs, "runs", 20, "how often")
	return cmd
}
