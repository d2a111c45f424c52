// Command rmqprov turns hosts that SSH reaches into a RabbitMQ cluster, or
// whatever its playbooks describe, and keeps them so.
package main

import (
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"golang.org/x/term"
)

// version is set by the linker; "" leaves it to what Go noted of the source.
var version string

func versionOf(set string) string {
	if set != "" {
		return set
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

func main() {
	// A reader of stdout that goes away (apply | head) must not kill a run
	// half-way: the write fails instead.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	os.Exit(run(environment{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Env: os.LookupEnv, Signals: signals, Version: versionOf(version),
		StdinTerminal: isTerminal(os.Stdin), StdoutTerminal: isTerminal(os.Stdout), StderrTerminal: isTerminal(os.Stderr),
		Size: func() (int, int, error) { return term.GetSize(int(os.Stderr.Fd())) },
	}))
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
