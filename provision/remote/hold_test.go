package remote

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const holdScript = `echo "held by $1"; cat >/dev/null; echo ended >>"$1"`

func TestHold(t *testing.T) {
	checkLeaks(t)
	s := newServer(t)
	s.standIn("sudo", fakeSudo)
	h := s.host()
	mark := filepath.Join(t.TempDir(), "mark")
	var out bytes.Buffer
	release, lost, err := h.Hold(t.Context(), Command{Script: holdScript, Argv: []string{mark}, Sudo: true, Stdout: &out})
	must(t, err)
	if _, err := os.Stat(mark); err == nil {
		t.Error("it ended at once")
	}
	release()
	if _, err := os.Stat(mark); err != nil {
		t.Error(err)
	}
	if err := <-lost; err != nil {
		t.Errorf("lost: %v", err)
	}
	release()
	if out.String() != "held by "+mark+"\n" {
		t.Errorf("output %q", out.String())
	}
}

func TestHoldRefused(t *testing.T) {
	checkLeaks(t)
	h := newServer(t).host()
	_, _, err := h.Hold(t.Context(), Command{Script: "echo 'held by ann on laptop, pid 7' >&2; exit 3", Name: "lock"})
	exit, ok := errors.AsType[*ExitError](err)
	if !ok || exit.Status != 3 || exit.Stderr != "held by ann on laptop, pid 7" {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := h.Hold(ctx, Command{Script: "sleep 60"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestHoldLost(t *testing.T) {
	checkLeaks(t)
	for _, tt := range []struct {
		name   string
		script string
		drop   bool
		want   string
	}{
		{"the connection", holdScript, true, "the connection was lost"},
		{"the command", "echo held; sleep 0.1; echo because >&2; exit 4", false, "exit status 4: because"},
		{"the command, with status 0", "echo held; sleep 0.1", false, "not told to end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			release, lost, err := s.host().Hold(t.Context(), Command{Script: tt.script, Argv: []string{os.DevNull}})
			must(t, err)
			if tt.drop {
				s.drop()
			}
			if err := <-lost; err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Error(err)
			}
			release()
		})
	}
}
