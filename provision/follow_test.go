package provision

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/sim"
)

// talkative answers the questions of logs for one container: it has said "one",
// and while it is followed it says "two" and goes on without a word.
func talkative(c sim.Call) bool {
	if c.Kind != sim.AskDocker {
		return false
	}
	c.Say("")
	for in := bufio.NewReader(c.Stdin); ; {
		r, err := http.ReadRequest(in)
		if err != nil {
			return true
		}
		switch path := r.URL.Path; {
		case strings.HasSuffix(path, "/containers/json"):
			answer(c, `[{"Id": "c1", "Labels": {"com.docker.swarm.service.name": "db_db-01"}}]`)
		case strings.HasSuffix(path, "/containers/c1/json"):
			answer(c, `{"Id": "c1", "Config": {"Tty": true}}`)
		case strings.HasSuffix(path, "/containers/c1/logs") && r.FormValue("follow") == "":
			answer(c, "2026-01-31T12:00:01Z one\n")
		case strings.HasSuffix(path, "/containers/c1/logs"):
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n2026-01-31T12:00:02Z two since "+r.FormValue("since")+"\n")
			c.Hang()
			return true
		default:
			answer(c, "OK") // a ping
		}
	}
}

func answer(w io.Writer, body string) {
	fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nApi-Version: 1.47\r\nOstype: linux\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// Logs that are followed show what was said and what is said, each line once; a
// host that hangs is told, and neither it nor a container that falls silent keeps
// them from ending when they shall.
func TestFollowedLogs(t *testing.T) {
	loud := sound(t, 0)
	loud.Exec = talkative
	inv := fleet(t, []*sim.Host{loud, {Silent: true}})
	inv.SSH.DialTimeout = time.Second
	s := openSession(t, inv)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var told, warned []string
	enough := func() {
		if len(told) >= 2 && len(warned) >= 1 {
			cancel()
		}
	}
	err := s.Logs(ctx, []string{"db_db-01"}, LogOptions{Tail: -1, Follow: true},
		func(l LogLine) { told = append(told, l.Text); enough() },
		func(host string, err error) { warned = append(warned, host); enough() })
	ended := time.Now()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended by %v", err)
	}
	if got := strings.Join(told, "|"); got != "one|two since 1769860801.000000001" {
		t.Errorf("told were %q", got)
	}
	if warned[0] != hostName(1) {
		t.Errorf("warned of %v", warned)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(ended); took > 10*time.Second {
		t.Errorf("closing took %s", took)
	}
}
