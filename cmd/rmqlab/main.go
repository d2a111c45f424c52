// Command rmqlab runs a lab of real hosts on one machine: bare systems with systemd, sshd and
// a package manager, an image registry and an EC2 emulator, to try rmqprov against.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "rmqlab: error:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "rmqlab",
		Short:         "A lab of real hosts on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(engineCommand())
	return root
}

func engineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "engine",
		Short: "Start the lab's own Docker engine and print its socket",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := engine.Start(cmd.Context(), engine.Options{})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), e.Socket)
			return err
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "stop",
		Short: "End the engine and every container in it; caches stay",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return engine.Stop(cmd.Context(), engine.Options{})
		},
	})
	return cmd
}
