// Command rmqlab runs a lab of real hosts on one machine: bare systems with systemd, sshd and
// a package manager, an image registry and an EC2 emulator, to try rmqprov against.
package main

import (
	"context"
	"errors"
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
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		os.Exit(exit.ExitCode()) // `rmqlab ssh` ends as its command did
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rmqlab: error:", err)
		os.Exit(1)
	}
}
