package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// fakeDocker answers HTTP on stdin and stdout as `docker system dial-stdio` does.
const fakeDocker = `#!/bin/sh
[ "$*" = "--host unix:///var/run/docker.sock system dial-stdio" ] || { echo "unexpected: $*" >&2; exit 64; }
while read -r line; do
	case $line in
	GET*) path=${line#GET }; path=${path%% *} ;;
	"$(printf '\r')") body="$path $UNDER_SUDO"
		printf 'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' ${#body} "$body" ;;
	esac
done
`

func dockerClient(h *Host) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return h.DockerDial(ctx) }}}
}

func TestDockerDial(t *testing.T) {
	checkLeaks(t)
	for _, tt := range []struct{ name, password string }{{"sudo", ""}, {"sudo with a password", "open sesame"}} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.noise = "Welcome!\n"
			s.standIn("sudo", fakeSudo)
			s.standIn("docker", fakeDocker)
			target := s.target()
			if tt.password != "" {
				must(t, os.WriteFile(s.bin+"/password", []byte(tt.password), 0o600))
				target.SudoPassword = tt.password
			}
			h := NewHost(target)
			defer h.Close()
			client := dockerClient(h)
			defer client.CloseIdleConnections()
			for range 2 {
				r, err := client.Get("http://docker/_ping")
				must(t, err)
				body, err := io.ReadAll(r.Body)
				r.Body.Close()
				if _, noSocket := os.Stat(dockerSocket); noSocket != nil && string(body) != "/_ping 1" || err != nil {
					t.Errorf("%q %v", body, err)
				}
			}
		})
	}
}

func TestDockerErrors(t *testing.T) {
	for _, tt := range []struct{ name, docker, want string }{
		{"not installed", "#!/bin/sh\necho 'sh: docker: command not found' >&2; exit 127\n", "docker: command not found"},
		{"not running", "#!/bin/sh\necho 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?' >&2; exit 1\n", "Cannot connect to the Docker daemon"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			s := newServer(t)
			s.standIn("sudo", fakeSudo)
			s.standIn("docker", tt.docker)
			h := s.host()
			_, err := dockerClient(h).Get("http://docker/_ping")
			if err == nil || !strings.Contains(err.Error(), tt.want) || IsTransient(err) {
				t.Error(err)
			}
		})
	}
}

func TestDockerConnectionsLeaveRoom(t *testing.T) {
	s := newServer(t)
	s.standIn("sudo", fakeSudo)
	s.standIn("docker", "#!/bin/sh\nexec cat\n")
	h := s.host()
	for range maxDocker {
		c, err := h.DockerDial(t.Context())
		must(t, err)
		defer c.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := h.DockerDial(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if _, err := h.Run(t.Context(), Command{Argv: []string{"true"}}); err != nil {
		t.Error(err)
	}
}

func TestDockerConnIsANetConn(t *testing.T) {
	checkLeaks(t)
	s := newServer(t)
	s.standIn("sudo", fakeSudo)
	s.standIn("docker", "#!/bin/sh\ncat; echo end\n")
	h := s.host()
	c, err := h.DockerDial(t.Context())
	must(t, err)
	must(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	must(t, c.SetDeadline(time.Time{}))
	_, err = io.WriteString(c, "hello ")
	must(t, err)
	must(t, c.(interface{ CloseWrite() error }).CloseWrite())
	all, err := io.ReadAll(c)
	if string(all) != "hello end\n" || err != nil {
		t.Errorf("%q %v", all, err)
	}
	must(t, c.Close())
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestDockerConnOfALostConnection(t *testing.T) {
	s := newServer(t)
	s.standIn("sudo", fakeSudo)
	s.standIn("docker", "#!/bin/sh\nexec cat\n")
	c, err := s.host().DockerDial(t.Context())
	must(t, err)
	defer c.Close()
	go func() { time.Sleep(50 * time.Millisecond); s.drop() }()
	_, err = io.ReadAll(c)
	if !IsTransient(err) {
		t.Error(err)
	}
}
