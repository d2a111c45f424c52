// Command rmqlab runs a lab of real hosts on one machine: bare systems with systemd, sshd and
// a package manager, an image registry and an EC2 emulator, to try rmqprov against.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command().ExecuteContext(ctx)
	// Not errors.As: only what `rmqlab ssh` and `console` return bare is another command's end.
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() > 0 {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rmqlab: error:", err)
		os.Exit(1)
	}
}
