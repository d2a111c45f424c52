package main

import (
	"context"
	"os"
	"os/exec"

	"golang.org/x/term"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/hosts"
)

// runSSH hands the terminal to OpenSSH's client. Its exit status becomes ours.
func runSSH(ctx context.Context, t target, name string, remote []string) error {
	lab, err := t.open(ctx)
	if err != nil {
		return err
	}
	host, err := lab.Host(ctx, name)
	if err != nil {
		return err
	}
	dir := t.stateDir()
	args := []string{"-F", "none", "-i", dir.key(), "-o", "IdentitiesOnly=yes", "-o", "UserKnownHostsFile=" + dir.knownHosts(),
		"-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR", hosts.User + "@" + host.Address.String(), "--"}
	return onTerminal(exec.CommandContext(ctx, "ssh", append(args, remote...)...))
}

// console is the way in when a host's network or sshd is gone.
func console(ctx context.Context, t target, name string) error {
	lab, err := t.open(ctx)
	if err != nil {
		return err
	}
	host, err := lab.Host(ctx, name)
	if err != nil {
		return err
	}
	args := []string{"container", "exec", "--interactive"}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		args = append(args, "--tty")
	}
	return onTerminal(lab.Engine.Command(ctx, append(args, lab.Container(host), "/bin/sh")...))
}

func onTerminal(cmd *exec.Cmd) error {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
