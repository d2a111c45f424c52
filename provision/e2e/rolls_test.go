//go:build lab && chaos

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// changeable brings up three hosts with a cluster on them.
func changeable(t *testing.T) *lab.Lab {
	t.Helper()
	l := bringUp(t, "rolls", "10.104.0.0/24", "debian13")
	l.Password = "given-Password.2357"
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// Each host in turn is rebooted with care, under load.
func TestRebootUnderLoad(t *testing.T) {
	l := changeable(t)
	for _, host := range []string{"node-1", "node-2", "node-3"} {
		t.Run(host, func(t *testing.T) {
			underLoad(t, l, func() {
				reboots(t, l, host)
				checkReplaced(t, l, l.Inventory())
			})
		})
	}
	t.Run("a run that is killed leaves no member drained", func(t *testing.T) {
		r := await(t, l, "started", "stack.rabbitmq.before-stop.drain.", "reboot", l.Inventory(), "node-2")
		time.Sleep(time.Second) // the step has begun; its command is to be at work in the member when the run is killed
		if err := r.Kill(); err != nil {
			t.Fatal(err)
		}
		if applies(t, l, l.Inventory()) {
			checkReplaced(t, l, l.Inventory())
		}
	})
}

// reboots reboots a host.
func reboots(t *testing.T, l *lab.Lab, host string) {
	t.Helper()
	if out, err := l.Rmqprov(t.Context(), "reboot", "--yes", "--lock-wait", "2m", l.Inventory(), host).CombinedOutput(); err != nil {
		t.Fatalf("reboot of %s: %v\n%s", host, err, out)
	}
}

// await starts a run and reads its events up to the first of a kind of a step
// whose id begins so.
func await(t *testing.T, l *lab.Lab, kind, step, verb string, args ...string) *lab.Run {
	t.Helper()
	r, err := l.Start(t.Context(), append([]string{verb, "--yes", "--json", "--lock-wait", "2m"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, more, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			status, err := r.End()
			t.Fatalf("%s never came to %s of %s: status %d, %v\n%s%s", verb, kind, step, status, err, r.Failures(), r.Stderr())
		}
		if e.Kind == kind && strings.HasPrefix(e.Step, step) {
			return r
		}
	}
}

// A roll that is broken off leaves no member without clients: an interrupted run
// takes the drain back itself, and after a kill the next run does.
func TestBrokenOffUnderLoad(t *testing.T) {
	l := changeable(t)
	changed := edited(t, l, `members        = 3`, `members        = 3
    disk_free_limit = "1GB"`)
	t.Run("interrupted", func(t *testing.T) {
		underLoad(t, l, func() {
			r := await(t, l, "started", "stack.rabbitmq.before-stop.drain.", "apply", changed)
			if err := r.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if status, err := r.End(); err != nil || status != 130 {
				t.Fatalf("status %d, %v\n%s", status, err, r.Stderr())
			}
			if err := l.Settled(t.Context(), l.Password); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("killed", func(t *testing.T) {
		underLoad(t, l, func() {
			r := await(t, l, "done", "stack.rabbitmq.before-stop.drain.", "apply", changed)
			if err := r.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if _, err := r.End(); err == nil {
				t.Fatal("the run was not killed")
			}
			if applies(t, l, changed) {
				checkReplaced(t, l, changed)
			}
		})
	})
}

// A member whose new image does not start stops the roll, the others run on, and
// the way back works.
func TestRollbackUnderLoad(t *testing.T) {
	l := changeable(t)
	for _, h := range l.Hosts() { // a tag of the right form on an image that is no RabbitMQ
		if _, err := l.Root(t.Context(), h.Name, "docker tag haproxy:3.0 rabbitmq:4.0.6\n"); err != nil {
			t.Fatal(err)
		}
	}
	broken := edited(t, l, `rabbitmq:4.0.5`, `rabbitmq:4.0.6`)
	underLoad(t, l, func() {
		began := time.Now()
		out, err := l.Rmqprov(t.Context(), "apply", "--yes", broken).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "stack.rabbitmq.service.rabbitmq-01") {
			t.Fatalf("apply of an image that does not start: %v\n%s", err, out)
		}
		t.Logf("the roll stopped after %s", time.Since(began).Round(time.Second))
		if out, err := l.Rmqprov(t.Context(), "plan", l.Inventory()).CombinedOutput(); err == nil || !strings.Contains(string(out), "that is a downgrade") {
			t.Errorf("plan with the earlier image: %v\n%s", err, out)
		}
		if out, err := l.Rmqprov(t.Context(), "apply", "--yes", "--rollback", broken).CombinedOutput(); err != nil {
			t.Fatalf("apply --rollback: %v\n%s", err, out)
		}
		checkReplaced(t, l, l.Inventory())
	})
}

// What a backup kept is there again on hosts that were emptied: as it is told by
// RabbitMQ, but for the administrator's password hash, which has a new salt.
func TestBackupAndRestore(t *testing.T) {
	l := bringUp(t, "rolls", "10.104.0.0/24", "debian13")
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	member(t, l, `rabbitmqctl add_vhost orders && rabbitmqctl add_user alice secret-of-Alice && rabbitmqctl set_permissions -p orders alice '.*' '.*' '.*' &&
rabbitmqctl set_policy -p orders ttl '^tmp' '{"message-ttl":1000}' && rabbitmqctl set_vhost_limits -p orders '{"max-queues":7}' &&
rabbitmqctl eval '[rabbit_amqqueue:declare(rabbit_misc:r(<<"orders">>, queue, N), true, false, [{<<"x-queue-type">>, longstr, <<"quorum">>}], none, <<"t">>) || N <- [<<"in">>, <<"tmp">>]].'`)
	memberOf(t, l, "consul", "consul kv put shop/open yes")
	before, password := definitions(t, l), secret(t, l, "rabbitmq/admin_password")
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(key, []byte(identity.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := backUp(t, l, identity.Recipient().String(), password)
	for name, prepare := range map[string]func(){
		"onto bare hosts":              func() {},
		"into a cluster of other keys": func() { applies(t, l, l.Inventory()) },
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := l.Rmqprov(t.Context(), "destroy", "--yes", "--volumes", l.Inventory()).CombinedOutput(); err != nil {
				t.Fatalf("destroy: %v\n%s", err, out)
			}
			prepare()
			if out, err := l.Rmqprov(t.Context(), "restore", "--yes", l.Inventory(), "--from", file, "--identity", key).CombinedOutput(); err != nil {
				t.Fatalf("restore: %v\n%s", err, out)
			}
			if diff := cmp.Diff(before, definitions(t, l)); diff != "" {
				t.Errorf("the definitions differ (-before +after):\n%s", diff)
			}
			if got := memberOf(t, l, "consul", "consul kv get shop/open"); strings.TrimSpace(got) != "yes" {
				t.Errorf("Consul's key is %q", got)
			}
			now := secret(t, l, "rabbitmq/admin_password")
			if same := now == password; same != (name == "onto bare hosts") {
				t.Errorf("the administrator's password is that of before: %v", same)
			}
			testVerdicts(t, l)
			for _, h := range l.Hosts() {
				if err := lab.Login(h, "admin", now); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// backUp makes a backup, which tells nothing to who reads the file or the hosts.
func backUp(t *testing.T, l *lab.Lab, recipient, password string) string {
	t.Helper()
	out, err := l.Rmqprov(t.Context(), "backup", l.Inventory(), "--out", t.TempDir(), "--recipient", recipient).Output()
	if err != nil {
		t.Fatalf("backup: %v", err)
	}
	file := strings.TrimSpace(string(out))
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(content), password) || strings.Contains(string(content), "orders") {
		t.Error("the backup can be read")
	}
	for _, h := range l.Hosts() {
		if left, err := l.Root(t.Context(), h.Name, "for c in $(docker ps -q); do docker exec $c ls /dev/shm; done\n"); err != nil || strings.TrimSpace(left) != "" {
			t.Errorf("on %s there is left: %s%v", h.Name, left, err)
		}
	}
	return file
}

// member runs a command in a member of RabbitMQ.
func member(t *testing.T, l *lab.Lab, command string) string {
	t.Helper()
	return memberOf(t, l, "rabbitmq", command)
}

func memberOf(t *testing.T, l *lab.Lab, stack, command string) string {
	t.Helper()
	script := fmt.Sprintf("docker exec -i $(docker ps -q -f name=%s_%s-) sh -s <<'END'\n%s\nEND\n", stack, stack, command)
	out, err := l.Root(t.Context(), l.Hosts()[0].Name, script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// definitions are what RabbitMQ exports, in an order of their own.
func definitions(t *testing.T, l *lab.Lab) map[string][]string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(member(t, l, "rabbitmqctl -q export_definitions -")), &all); err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for kind, list := range all {
		items, _ := list.([]any)
		for _, item := range items {
			fields := item.(map[string]any)
			if fields["name"] == "admin" || fields["name"] == "cluster_name" || fields["name"] == "internal_cluster_id" {
				delete(fields, "password_hash")
				if kind == "global_parameters" {
					delete(fields, "value")
				}
			}
			text, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			out[kind] = append(out[kind], string(text))
		}
		slices.Sort(out[kind])
	}
	return out
}
