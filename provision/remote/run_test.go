package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"dash", "bash"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			checkLeaks(t)
			s := newServer(t)
			s.shell(shell)
			testRun(t, s)
		})
	}
}

func testRun(t *testing.T, s *server) {
	h := s.host()
	tests := []struct {
		name    string
		command Command
		stdout  string
		stderr  string
		status  int
	}{
		{"words", Command{Argv: []string{"printf", "%s|", "a b", "it's", `\n "$HOME"`, ""}}, `a b|it's|\n "$HOME"||`, "", 0},
		{"script", Command{Script: "echo one\ncat\necho two >&2"}, "one\n", "two\n", 0},
		{"script with arguments", Command{Script: `echo "$#:$1:$2"`, Argv: []string{"a b", "'"}}, "2:a b:'\n", "", 0},
		{"script and stdin", Command{Script: "read -r x; echo \"got $x\"; cat", Stdin: strings.NewReader("first\nrest\nend")}, "got first\nrest\nend", "", 0},
		{"words and stdin", Command{Argv: []string{"cat"}, Stdin: strings.NewReader("in")}, "in", "", 0},
		{"status", Command{Script: "echo out; echo why >&2; exit 7"}, "out\n", "why\n", 7},
		{"syntax error", Command{Script: "if"}, "", "", 2},
		{"signal", Command{Script: "kill -TERM $$"}, "", "", 143},
		{"a child keeps the pipes", Command{Script: "sleep 5 & echo done"}, "done\n", "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := h.Run(t.Context(), tt.command)
			exit, _ := errors.AsType[*ExitError](err)
			if (tt.status != 0) != (exit != nil) {
				t.Fatalf("error %v", err)
			}
			if string(r.Stdout) != tt.stdout || tt.stderr != "" && string(r.Stderr) != tt.stderr || r.Status != tt.status {
				t.Errorf("stdout %q stderr %q status %d", r.Stdout, r.Stderr, r.Status)
			}
		})
	}
	if n := h.Connections(); n != 1 || s.accepted.Load() != 1 {
		t.Errorf("%d connections, the server saw %d", n, s.accepted.Load())
	}
}

func TestScriptsAreNotInTheProcessList(t *testing.T) {
	s := newServer(t)
	h := s.host()
	for _, c := range []Command{
		{Script: "echo hunter2"},
		{Script: "echo hunter2", Stdin: strings.NewReader("x")},
	} {
		_, err := h.Run(t.Context(), c)
		must(t, err)
	}
	for _, line := range s.commands {
		if strings.Contains(line, "hunter2") {
			t.Errorf("the script is in the command line: %s", line)
		}
	}
}

func TestNoiseOfRCFilesIsDropped(t *testing.T) {
	s := newServer(t)
	s.noise = "Welcome!\nno newline at the end"
	r, err := s.host().Run(t.Context(), Command{Script: "echo facts"})
	if err != nil || string(r.Stdout) != "facts\n" {
		t.Errorf("%q, %v", r.Stdout, err)
	}
}

func TestExitErrorNamesWhatRan(t *testing.T) {
	s := newServer(t)
	_, err := s.host().Run(t.Context(), Command{Script: "set -e; echo 'E: no such package' >&2; exit 100"})
	want := fmt.Sprintf("node-1 (ec2-user@127.0.0.1:%d): script `set -e; echo …`: exit status 100: E: no such package", s.port())
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestForcedCommandIsNamed(t *testing.T) {
	s := newServer(t)
	s.noise = `Please login as the user "ec2-user" rather than the user "root".`
	s.standIn("env", "#!/bin/sh\nexit 142\n")
	_, err := s.host().Run(t.Context(), Command{Script: "id -u"})
	if err == nil || !strings.Contains(err.Error(), "Please login as the user") || !strings.Contains(err.Error(), "forced command") {
		t.Error(err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	checkLeaks(t)
	s := newServer(t)
	h := s.host()
	_, err := h.Run(t.Context(), Command{Argv: []string{"yes"}, MaxOutput: 1000})
	if over, ok := errors.AsType[*OutputError](err); !ok || over.Limit != 1000 {
		t.Fatal(err)
	}
	if IsTransient(err) {
		t.Error("transient")
	}
	var live bytes.Buffer
	r, err := h.Run(t.Context(), Command{Script: "yes | head -c 5000000", MaxOutput: -1, Stdout: &live})
	if err != nil || live.Len() != 5_000_000 || len(r.Stdout) != 0 {
		t.Errorf("%v, live %d, kept %d", err, live.Len(), len(r.Stdout))
	}
}

func TestCancelStopsTheCommand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		ignoreTERM bool
		sudo       bool
	}{{"by a signal", false, false}, {"where sshd passes no signals on", true, false}, {"under sudo", true, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			checkLeaks(t)
			s := newServer(t)
			s.ignoreTERM = tt.ignoreTERM
			s.standIn("sudo", fakeSudo)
			h := s.host()
			mark := filepath.Join(t.TempDir(), "mark")
			ctx, cancel := context.WithCancel(t.Context())
			started := &signalWriter{ch: make(chan struct{})}
			go func() { <-started.ch; cancel() }()
			begin := time.Now()
			_, err := h.Run(ctx, Command{Script: `trap 'echo ended >"$1"; exit 1' TERM; echo up; sleep 60 & wait`, Argv: []string{mark}, Stdout: started, Sudo: tt.sudo})
			if !errors.Is(err, context.Canceled) || IsTransient(err) {
				t.Errorf("error %v", err)
			}
			if took := time.Since(begin); took > 15*time.Second {
				t.Errorf("took %v", took)
			}
			if !appears(mark) { // the shell around the command may end before it
				t.Error("the command was not told to stop")
			}
		})
	}
}

func appears(file string) bool {
	for range 100 {
		if _, err := os.Stat(file); err == nil {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// signalWriter closes ch at the first write.
type signalWriter struct {
	once sync.Once
	ch   chan struct{}
}

func (w *signalWriter) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.ch) })
	return len(p), nil
}

func TestCancelDoesNotWaitForASilentHost(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := s.host()
	must(t, h.Connect(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	s.freeze()
	begin := time.Now()
	_, err := h.Run(ctx, Command{Argv: []string{"true"}})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

func TestARefusedSessionIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.refuse.Store(2) // as when what was stopped still holds its session
	h := s.host()
	if _, err := h.Run(t.Context(), Command{Argv: []string{"true"}}); err != nil {
		t.Error(err)
	}
	s.refuse.Store(1000)
	_, err := h.Run(t.Context(), Command{Argv: []string{"true"}})
	if !errors.Is(err, errTooManySessions) || !strings.Contains(err.Error(), "node-1 (") {
		t.Error(err)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	checkLeaks(t)
	for _, tt := range []struct{ limit, most int }{{10, 8}, {3, 3}, {1, 1}} {
		t.Run(fmt.Sprint("MaxSessions ", tt.limit), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.maxSessions = tt.limit
			h := s.host()
			var wg sync.WaitGroup
			for range 25 {
				wg.Go(func() {
					if _, err := h.Run(t.Context(), Command{Script: "sleep 0.05"}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if most := int(s.most.Load()); most > tt.most {
				t.Errorf("%d sessions at once", most)
			}
		})
	}
}
