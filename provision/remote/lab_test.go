//go:build lab

package remote

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// labTarget is a real host: LAB_HOST, LAB_KEY and LAB_KNOWN_HOSTS name it, and
// LAB_JUMP is an optional bastion, LAB_USER and LAB_SUDO_PASSWORD are another user's.
func labTarget(t *testing.T) Target {
	t.Helper()
	address := os.Getenv("LAB_HOST")
	if address == "" {
		t.Fatal("LAB_HOST names no real host: see labTarget for what this test wants")
	}
	return Target{Name: "lab", Address: address, User: cmp.Or(os.Getenv("LAB_USER"), "ec2-user"), SudoPassword: os.Getenv("LAB_SUDO_PASSWORD"), Identity: os.Getenv("LAB_KEY"),
		KnownHosts: os.Getenv("LAB_KNOWN_HOSTS"), Jump: os.Getenv("LAB_JUMP"), ConfigFile: "none"}
}

func TestRealHost(t *testing.T) {
	checkLeaks(t)
	begin := time.Now()
	h, err := Dial(t.Context(), labTarget(t))
	must(t, err)
	defer h.Close()
	t.Logf("connected after %v", time.Since(begin))
	t.Run("run", func(t *testing.T) {
		defer took(t, time.Now())
		r, err := h.Run(t.Context(), Command{Script: "id -u; cat", Stdin: strings.NewReader("in"), Sudo: true})
		if err != nil || string(r.Stdout) != "0\nin" {
			t.Errorf("%q %v", r.Stdout, err)
		}
	})
	t.Run("put", func(t *testing.T) { realPut(t, h) })
	t.Run("docker", func(t *testing.T) { realDocker(t, h) })
	t.Run("cancel", func(t *testing.T) { realCancel(t, h) })
	t.Run("sessions", func(t *testing.T) {
		defer took(t, time.Now())
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				if _, err := h.Run(t.Context(), Command{Argv: []string{"sleep", "0.1"}}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	t.Run("hold", func(t *testing.T) { realHold(t, h) })
	if h.Connections() != 1 {
		t.Errorf("%d connections", h.Connections())
	}
}

func took(t *testing.T, since time.Time) {
	t.Helper()
	t.Logf("took %v", time.Since(since))
}

func realPut(t *testing.T, h *Host) {
	f := File{Path: "/etc/rmqprov-remote-test/a b/f", Content: []byte(strings.Repeat("x", 100_000)), Mode: 0o640, Owner: "ec2-user", Sudo: true}
	defer h.Run(context.Background(), Command{Argv: []string{"rm", "-rf", "/etc/rmqprov-remote-test"}, Sudo: true})
	for _, want := range []bool{true, false} {
		begin := time.Now()
		changed, err := h.Put(t.Context(), f)
		if err != nil || changed != want {
			t.Errorf("changed %v, %v", changed, err)
		}
		took(t, begin)
	}
	r, err := h.Run(t.Context(), Command{Script: `stat -c '%a %U %G %s' "$1"; ls -A "${1%/*}"`, Argv: []string{f.Path}, Sudo: true})
	if err != nil || string(r.Stdout) != "640 ec2-user ec2-user 100000\nf\n" {
		t.Errorf("%q %v", r.Stdout, err)
	}
	f.Sudo, f.Path, f.Owner = false, "/tmp/rmqprov-remote-test", ""
	if _, err := h.Put(t.Context(), f); err != nil {
		t.Error(err)
	}
	if removed, err := h.Remove(t.Context(), f.Path, false); err != nil || !removed {
		t.Error(removed, err)
	}
}

func realDocker(t *testing.T, h *Host) {
	client := dockerClient(h)
	defer client.CloseIdleConnections()
	for range 2 {
		begin := time.Now()
		r, err := client.Get("http://docker/version")
		if err != nil {
			t.Logf("no Docker: %v", err)
			return
		}
		var version struct{ Version string }
		must(t, json.NewDecoder(r.Body).Decode(&version))
		r.Body.Close()
		t.Logf("Docker %s after %v", version.Version, time.Since(begin))
	}
}

func realCancel(t *testing.T, h *Host) {
	for _, sudo := range []bool{false, true} {
		token := newToken()
		ctx, cancel := context.WithCancel(t.Context())
		up := &signalWriter{ch: make(chan struct{})}
		go func() { <-up.ch; cancel() }()
		begin := time.Now()
		_, err := h.Run(ctx, Command{Script: "echo up; sleep 1234; : " + token, Sudo: sudo, Stdout: up})
		if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "may still run") {
			t.Error(err)
		}
		took(t, begin)
		if r, err := h.Run(t.Context(), Command{Script: "grep -lz 1234 /proc/[0-9]*/cmdline 2>/dev/null; :"}); err != nil || len(r.Stdout) != 0 {
			t.Errorf("left %q %v", r.Stdout, err)
		}
	}
}

func realHold(t *testing.T, h *Host) {
	lock := Command{Script: `exec flock -n -E 75 "$1" sh -c 'echo held; while timeout 60 sh -c "read -r _"; do :; done'`, Argv: []string{"/run/rmqprov-remote-test.lock"}, Sudo: true, Name: "taking the lock"}
	release, _, err := h.Hold(t.Context(), lock)
	must(t, err)
	_, _, err = h.Hold(t.Context(), lock)
	if exit, ok := errors.AsType[*ExitError](err); !ok || exit.Status != 75 {
		t.Error(err)
	}
	begin := time.Now()
	release()
	took(t, begin)
	release, lost, err := h.Hold(t.Context(), lock)
	must(t, err)
	release()
	if err := <-lost; err != nil {
		t.Error(err)
	}
	_, err = h.Run(t.Context(), Command{Argv: []string{"rm", "-f", lock.Argv[0]}, Sudo: true})
	must(t, err)
}
