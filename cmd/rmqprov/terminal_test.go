//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/rmqprov/rmqprov/provision/sim"
)

// simulated writes an inventory of one simulated host, which has no Docker.
func simulated(t *testing.T) (file string) {
	t.Helper()
	f, err := sim.NewFleet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	h := &sim.Host{Facts: sim.Facts{Hostname: "node-1", Address: "192.0.2.1/24"}}
	dir := t.TempDir()
	key, known := filepath.Join(dir, "key"), filepath.Join(dir, "known_hosts")
	if err := errors.Join(f.Start(h), f.WriteKey(key), f.WriteKnownHosts(known)); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "inventory.hcl")
	write(t, file, fmt.Sprintf(`cluster "rmq" {}
ssh {
  user        = "ec2-user"
  identity    = %q
  known_hosts = %q
  config      = "/dev/null"
}
host "node-1" {
  address = "127.0.0.1"
  port    = %d
}
network "prod" { subnet = "10.20.0.0/24" }
`, key, known, h.Port()))
	return file
}

// terminal is one in which the program runs.
type terminal struct {
	*os.File
	program *exec.Cmd
	before  *term.State

	mu    sync.Mutex
	said  bytes.Buffer
	heard chan struct{} // something was said
	gone  chan struct{} // the program has ended
}

func inTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	before, err := term.GetState(int(master.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{File: master, program: exec.Command("rmqprov", args...), before: before, heard: make(chan struct{}, 1), gone: make(chan struct{})}
	x.program.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=", "GORACE=atexit_sleep_ms=0")
	x.program.Stdin, x.program.Stdout, x.program.Stderr = slave, slave, slave
	// Where the tests run under nohup, the program would take that for its own.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	x.program.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.program.Start(); err != nil {
		t.Fatal(err)
	}
	go x.listen()
	go func() {
		_ = x.program.Wait() // its status is looked at where it matters
		close(x.gone)
	}()
	t.Cleanup(func() {
		_ = x.program.Process.Kill() // it has ended, unless the test failed
		<-x.gone
		slave.Close()
		master.Close()
	})
	return x
}

func (x *terminal) listen() {
	for buffer := make([]byte, 4096); ; {
		n, err := x.Read(buffer)
		if err != nil {
			return
		}
		x.mu.Lock()
		x.said.Write(buffer[:n])
		x.mu.Unlock()
		select {
		case x.heard <- struct{}{}:
		default:
		}
	}
}

func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.said.String()
}

// await waits until the program has written a text.
func (x *terminal) await(t *testing.T, text string) {
	t.Helper()
	for late := time.After(time.Minute); !strings.Contains(x.text(), text); {
		select {
		case <-x.heard:
		case <-late:
			t.Fatalf("never written: %q\n%q", text, x.text())
		}
	}
}

// However a picture ends, short of SIGKILL, the terminal is as it was: its modes,
// its cursor and its main screen.
func TestTheTerminalIsGivenBack(t *testing.T) {
	file := simulated(t)
	for name, end := range map[string]struct {
		do     func(*terminal) error
		status int
	}{
		"q":       {func(x *terminal) error { _, err := io.WriteString(x, "q"); return err }, statusFailed}, // nothing is healthy there
		"^C":      {func(x *terminal) error { _, err := io.WriteString(x, "\x03"); return err }, statusInterrupted},
		"SIGINT":  {func(x *terminal) error { return x.program.Process.Signal(os.Interrupt) }, statusInterrupted},
		"SIGTERM": {func(x *terminal) error { return x.program.Process.Signal(syscall.SIGTERM) }, statusInterrupted},
		"SIGHUP":  {func(x *terminal) error { return x.program.Process.Signal(syscall.SIGHUP) }, statusInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := inTerminal(t, "status", "--watch", file)
			x.await(t, "q leave")
			if raw, err := term.GetState(int(x.Fd())); err != nil || reflect.DeepEqual(raw, x.before) {
				t.Fatalf("the terminal was not taken over: %v", err)
			}
			if err := end.do(x); err != nil {
				t.Fatal(err)
			}
			select {
			case <-x.gone:
			case <-time.After(time.Minute):
				t.Fatalf("it goes on\n%q", x.text())
			}
			if status := x.program.ProcessState.ExitCode(); status != end.status {
				t.Errorf("exit status %d, want %d", status, end.status)
			}
			if after, err := term.GetState(int(x.Fd())); err != nil || !reflect.DeepEqual(after, x.before) {
				t.Errorf("the terminal's modes are not as they were: %v", err)
			}
			x.await(t, "\x1b[?25h\x1b[?1049l")
			if text := x.text(); strings.LastIndex(text, "\x1b[?1049h") > strings.LastIndex(text, "\x1b[?1049l") {
				t.Errorf("the main screen is not back:\n%q", text)
			}
		})
	}
}
