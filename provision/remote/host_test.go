package remote

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestManyUsersShareOneConnection(t *testing.T) {
	checkLeaks(t)
	s := newServer(t)
	h := s.host()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := h.Run(t.Context(), Command{Argv: []string{"true"}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := s.accepted.Load(); n != 1 || h.Connections() != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestALostConnectionIsDialledAgain(t *testing.T) {
	checkLeaks(t)
	s := newServer(t)
	h := s.host()
	started := &signalWriter{ch: make(chan struct{})}
	go func() { <-started.ch; s.drop() }()
	_, err := h.Run(t.Context(), Command{Script: "echo up; sleep 60", Name: "install Docker", Stdout: started})
	if _, ok := errors.AsType[*LostError](err); !ok || !IsTransient(err) || !strings.Contains(err.Error(), "install Docker") {
		t.Fatalf("error %v", err)
	}
	r, err := h.Run(t.Context(), Command{Script: "echo again"})
	if err != nil || string(r.Stdout) != "again\n" || h.Connections() != 2 {
		t.Errorf("%q %v, %d connections", r.Stdout, err, h.Connections())
	}
}

func TestAConnectionLostWhileIdleCostsNothing(t *testing.T) {
	s := newServer(t)
	h := s.host()
	for range 3 {
		_, err := h.Run(t.Context(), Command{Argv: []string{"true"}})
		must(t, err)
		s.drop()
	}
}

func TestASilentHostIsLost(t *testing.T) {
	checkLeaks(t)
	s := newServer(t)
	h := s.host()
	h.keepAlive = 50 * time.Millisecond
	started := &signalWriter{ch: make(chan struct{})}
	go func() { <-started.ch; s.freeze() }()
	begin := time.Now()
	_, err := h.Run(t.Context(), Command{Script: "echo up; sleep 60", Stdout: started})
	if !IsTransient(err) || !strings.Contains(err.Error(), "no answer to keep-alives") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestAnAnsweringHostIsKept(t *testing.T) {
	s := newServer(t)
	h := s.host()
	h.keepAlive = 10 * time.Millisecond
	_, err := h.Run(t.Context(), Command{Script: "sleep 0.3"})
	if err != nil || h.Connections() != 1 {
		t.Errorf("%v, %d connections", err, h.Connections())
	}
}

func TestDialErrors(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer silent.Close()
	at := func(l net.Listener) Target {
		return Target{Name: "node-1", Address: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, User: "ec2-user",
			Identity: newKeyPair(t, "").file, ConfigFile: "none"}
	}
	cutting := newServer(t)
	cutting.cutFirst = 1000
	full, penal := newServer(t), newServer(t)
	full.cutFirst, full.turnsAway = 1000, "Exceeded MaxStartups\r\n"
	penal.cutFirst, penal.turnsAway = 1000, "Not allowed at this time\r\n"
	for _, tt := range []struct {
		name   string
		target Target
		want   string
	}{
		{"refused", at(closed), "connection refused. The machine answers but nothing listens there"},
		{"silent", at(silent), "SSH handshake: no answer in time (100ms). Is the machine up"},
		{"cut", cutting.target(), "sshd cut the handshake"},
		{"full", full.target(), `it said "Exceeded MaxStartups"`},
		{"penalised", penal.target(), "PerSourcePenalties"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			tt.target.DialTimeout = 100 * time.Millisecond
			_, err := Dial(t.Context(), tt.target)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "node-1 (ec2-user@127.0.0.1:") || !IsTransient(err) {
				t.Errorf("%v (transient %v)", err, IsTransient(err))
			}
		})
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Dial(ctx, Target{Address: "127.0.0.1", Port: silent.Addr().(*net.TCPAddr).Port, ConfigFile: "none"})
	if !errors.Is(err, context.DeadlineExceeded) || IsTransient(err) {
		t.Error(err)
	}
}

func TestCloseEndsWhatRuns(t *testing.T) {
	checkLeaks(t)
	s := newServer(t)
	h := s.host()
	started := &signalWriter{ch: make(chan struct{})}
	go func() { <-started.ch; h.Close() }()
	_, err := h.Run(t.Context(), Command{Script: "echo up; sleep 60", Stdout: started})
	if !errors.Is(err, errClosed) || IsTransient(err) {
		t.Error(err)
	}
	if _, err := h.Run(t.Context(), Command{Argv: []string{"true"}}); !errors.Is(err, errClosed) {
		t.Error(err)
	}
}
