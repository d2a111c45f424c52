//go:build lab

package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

func secret(t *testing.T, l *lab.Lab, name string) string {
	t.Helper()
	value, err := l.Secret(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if len(value) < 8 {
		t.Fatalf("secret %s is %q", name, value)
	}
	return value
}

func adminPassword(t *testing.T, l *lab.Lab) string {
	t.Helper()
	if l.Password != "" {
		return l.Password
	}
	return secret(t, l, "rabbitmq/admin_password")
}

// secrets are the values of all secrets of the cluster, by name.
func secrets(t *testing.T, l *lab.Lab) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, name := range []string{"consul/gossip", "rabbitmq/erlang_cookie", "rabbitmq/admin_password", "haproxy/stats_password"} {
		values[name] = secret(t, l, name)
	}
	return values
}

// noneIn fails the test for each secret whose value stands in the text.
func noneIn(t *testing.T, where, text string, values map[string]string) {
	t.Helper()
	for name, value := range values {
		if at := strings.Index(text, value); at >= 0 {
			around := text[max(0, at-200):min(len(text), at+len(value)+50)]
			t.Errorf("the value of %s stands in %s: …%q…", name, where, around)
		}
	}
}

func testSecrets(t *testing.T, l *lab.Lab) {
	values := secrets(t, l)
	for where, command := range map[string]string{
		"a process's arguments":    `cat /proc/[0-9]*/cmdline 2>/dev/null; true`,
		"a process's environment":  `cat /proc/[0-9]*/environ 2>/dev/null; true`,
		"docker service inspect":   `docker service ls -q | xargs docker service inspect`,
		"docker config inspect":    `docker config ls -q | xargs docker config inspect`,
		"docker inspect":           `docker ps -aq | xargs docker inspect`,
		"rmqprov's files":          `find /etc/rmqprov /etc/docker -type f -exec cat {} +`,
		"temporary files":          `find /tmp /var/tmp /home /root -xdev -type f -exec cat {} +`,
		"the journal of the host":  `journalctl -o cat --no-pager`,
		"the logs of the services": `for id in $(docker ps -q); do docker logs "$id" 2>&1; done`,
	} {
		for _, h := range l.Hosts() {
			out, err := l.Root(t.Context(), h.Name, command+"\n")
			if err != nil {
				t.Fatal(err)
			}
			noneIn(t, where+" on "+h.Name, out, values)
		}
	}
}

// watchProcesses notes, from now on and several times a second, the arguments and environments of
// all processes of all hosts, and with them of their containers. The function that it returns ends
// that and returns what was seen.
func watchProcesses(t *testing.T, l *lab.Lab) (stop func() string) {
	t.Helper()
	const watch = `systemd-run -q --unit watch-processes sh -c 'while :; do
	cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null
	sleep 0.2
done >/run/seen-processes'
`
	ctx := context.WithoutCancel(t.Context())
	for _, h := range l.Hosts() {
		if _, err := l.Root(ctx, h.Name, watch); err != nil {
			t.Fatal(err)
		}
	}
	return func() string {
		var all strings.Builder
		for _, h := range l.Hosts() {
			out, err := l.Root(ctx, h.Name, "systemctl stop watch-processes; tr '\\0' '\\n' </run/seen-processes | sort -u\n")
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out, "dockerd") {
				t.Errorf("the watch on %s saw no dockerd", h.Name)
			}
			all.WriteString(out)
		}
		return all.String()
	}
}
