package provision

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/api/types/system"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/remote"
	"github.com/rmqprov/rmqprov/provision/sim"
)

// fleet starts simulated hosts, h-0000 and on, and makes an inventory of them.
func fleet(t testing.TB, hosts []*sim.Host) *inventory.Inventory {
	t.Helper()
	f, err := sim.NewFleet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	dir := t.TempDir()
	files := fleetFiles{Key: filepath.Join(dir, "key"), KnownHosts: filepath.Join(dir, "known_hosts")}
	for _, h := range hosts {
		if err := f.Start(h); err != nil {
			t.Fatal(err)
		}
		files.Ports = append(files.Ports, h.Port())
	}
	if err := errors.Join(f.WriteKey(files.Key), f.WriteKnownHosts(files.KnownHosts)); err != nil {
		t.Fatal(err)
	}
	return inventoryOf(files)
}

func hostName(i int) string { return fmt.Sprintf("h-%04d", i) }

func hostFacts(i int) sim.Facts {
	return sim.Facts{Hostname: hostName(i), Address: fmt.Sprintf("192.0.%d.%d/16", 2+i/250, 1+i%250), Docker: true}
}

// sound is a host with a Docker Engine in no swarm.
func sound(t testing.TB, i int) *sim.Host {
	t.Helper()
	return &sim.Host{Facts: hostFacts(i), Engine: engineOf(t, system.Info{
		ServerVersion: "26.1.5", Swarm: swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive},
	}, nil)}
}

// engineOf answers the questions of an observation.
func engineOf(t testing.TB, info system.Info, more map[string]any) *sim.Engine {
	t.Helper()
	e, err := newEngine(info, more)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func newEngine(info system.Info, more map[string]any) (*sim.Engine, error) {
	answers := map[string]any{"/info": info, "/images/json": []any{}, "/volumes": map[string]any{"Volumes": []any{}}}
	maps.Copy(answers, more)
	return sim.NewEngine(answers)
}

// openSession opens a session that is closed when the test ends, and is then
// found to have left nothing running.
func openSession(t testing.TB, inv *inventory.Inventory) *Session {
	t.Helper()
	before := runtime.NumGoroutine()
	s, err := Open(inv, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		for range 250 {
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
	})
	return s
}

func onFacts(answer func(sim.Call)) func(sim.Call) bool { return on(sim.AskFacts, answer) }

func on(kind sim.Kind, answer func(sim.Call)) func(sim.Call) bool {
	return func(c sim.Call) bool {
		if c.Kind == kind {
			answer(c)
		}
		return c.Kind == kind
	}
}

// flood prints 100 MB, or as much of it as is taken.
func flood(w io.Writer) {
	line := []byte(strings.Repeat("nonsense ", 4096))
	for n := 0; n < 100<<20; n += len(line) {
		if _, err := w.Write(line); err != nil {
			return
		}
	}
}

// docker answers the client's HEAD and then says something of its own.
func docker(then func(sim.Call)) func(sim.Call) bool {
	return on(sim.AskDocker, func(c sim.Call) {
		c.Say("")
		for in := bufio.NewReader(c.Stdin); ; {
			r, err := http.ReadRequest(in)
			switch {
			case err != nil:
				return
			case r.Method == http.MethodHead:
				write(c, httpOK+"Content-Length: 2\r\n\r\n")
			case r.Method == http.MethodGet:
				then(c)
				c.Hang()
				return
			}
		}
	})
}

func write(w io.Writer, text string) { _, _ = io.WriteString(w, text) }

const httpOK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nApi-Version: 1.47\r\n"

// nonsense has hosts that answer wrongly, each with what must be said of it; ""
// for those that are observed all the same.
func nonsense(t *testing.T) map[string]struct {
	host *sim.Host
	want string
} {
	type row = struct {
		host *sim.Host
		want string
	}
	with := func(change func(*sim.Host)) *sim.Host {
		h := sound(t, 1)
		change(h)
		return h
	}
	exec := func(f func(sim.Call) bool) *sim.Host { return with(func(h *sim.Host) { h.Exec = f }) }
	return map[string]row{
		"sound":            {sound(t, 1), ""},
		"login banner":     {with(func(h *sim.Host) { h.Banner = "Authorized use only.\n" }), ""},
		"noise of rc":      {with(func(h *sim.Host) { h.Noise = "Welcome to h!\r\n\tlast login: never\n" }), ""},
		"not JSON":         {with(func(h *sim.Host) { h.Engine.Answers["/info"] = []byte("<html>no</html>") }), "invalid character '<'"},
		"another shape":    {with(func(h *sim.Host) { h.Engine.Answers["/images/json"] = []byte(`{"a":1}`) }), "cannot unmarshal object"},
		"not HTTP":         {exec(docker(func(c sim.Call) { write(c, "hello\n\n") })), "malformed HTTP"},
		"huge answer":      {exec(docker(func(c sim.Call) { write(c, httpOK+"\r\n[\""); flood(c) })), "too large"},
		"silent Docker":    {exec(docker(func(c sim.Call) { write(c, httpOK+"Content-Length: 100\r\n\r\n{") })), "did not answer within"},
		"100 MB":           {exec(onFacts(func(c sim.Call) { c.Say(""); flood(c) })), "printed more than"},
		"100 MB unmarked":  {exec(onFacts(func(c sim.Call) { flood(c) })), "printed more than"},
		"100 MB on stderr": {exec(onFacts(func(c sim.Call) { c.Say(""); flood(c.Stderr()) })), "printed more than"},
		"half a line":      {exec(onFacts(func(c sim.Call) { c.Say("rmqprov-facts-begin\nos.id\tdeb"); c.Hang() })), "did not answer within"},
		"cut off":          {exec(onFacts(func(c sim.Call) { c.Say("rmqprov-facts-begin\nos.id\tdeb"); c.Exit(0) })), "cut off before its end"},
		"no shell": {exec(func(c sim.Call) bool {
			io.WriteString(c, "This account is currently not available.\n")
			c.Exit(1)
			return true
		}), "currently not available"},
		"another shell": {exec(func(c sim.Call) bool {
			io.WriteString(c, "% Unknown command\n")
			c.Exit(0)
			return true
		}), "% Unknown command"},
		"no sudo": {exec(func(c sim.Call) bool {
			io.WriteString(c.Stderr(), "sudo: a password is required\n")
			c.Exit(1)
			return true
		}), "it asks for a password and none is given"},
		"restricted shell": {exec(func(c sim.Call) bool {
			io.WriteString(c, "rbash: sudo: restricted: cannot specify `/' in command names\n")
			c.Exit(1)
			return true
		}), "restricted"},
		"a menu": {exec(func(c sim.Call) bool {
			io.WriteString(c, "1) Configure\n2) Log out\nChoice: ")
			c.Hang()
			return true
		}), "did not answer within"},
		"requiretty": {exec(func(c sim.Call) bool {
			io.WriteString(c.Stderr(), "sudo: sorry, you must have a tty to run sudo\n")
			c.Exit(1)
			return true
		}), "Take requiretty out of sudoers"},
		"not in sudoers": {exec(func(c sim.Call) bool {
			io.WriteString(c.Stderr(), "ec2-user is not in the sudoers file.\n")
			c.Exit(1)
			return true
		}), "Add the user to sudoers"},
		"sudo not installed": {exec(func(c sim.Call) bool {
			io.WriteString(c.Stderr(), "env: 'sudo': No such file or directory\n")
			c.Exit(127)
			return true
		}), "Install sudo, or log in as root"},
		"full disk in the script": {exec(onFacts(func(c sim.Call) {
			c.Say("")
			io.WriteString(c.Stderr(), "sh: cannot create temp file for here-document: No space left on device\n")
			c.Exit(2)
		})), "No space left on device"},
		"binary": {exec(onFacts(func(c sim.Call) { c.Say("\x00\x1b[31m\xff\xfe"); c.Exit(0) })), "did not answer the question"},
		"facts of another form": {exec(onFacts(func(c sim.Call) {
			c.Say("rmqprov-facts-begin\nos.id\tdebian\nmemory\tlots\nrmqprov-facts-end\n")
			c.Exit(0)
		})), "wrong memory"},
		"session hung up":   {exec(func(c sim.Call) bool { return true }), "without an exit status"},
		"wrong clock":       {with(func(h *sim.Host) { h.Facts.Clock = 86400 }), "its clock is"},
		"auth refused":      {with(func(h *sim.Host) { h.RefuseLogin = true }), "login refused"},
		"key changed":       {with(func(h *sim.Host) { h.KeyChanged = true }), "THE HOST KEY HAS CHANGED"},
		"never answers":     {with(func(h *sim.Host) { h.Silent = true }), "SSH handshake: no answer in time"},
		"endless handshake": {with(func(h *sim.Host) { h.Mute = true }), "SSH handshake: no answer in time"},
		"refused":           {sound(t, 1), "connection refused"},
	}
}

// Hosts that answer nonsense get an error each, soon and without filling the
// memory; the others are observed. Those that never answer are a fleet of their
// own: its patience is short, and a busy machine does not matter to it.
func TestNonsense(t *testing.T) {
	silent, answering := map[string]*sim.Host{}, map[string]*sim.Host{}
	table := nonsense(t)
	for name, row := range table {
		if strings.Contains(row.want, "answer in time") || strings.Contains(row.want, "did not answer within") {
			silent[name] = row.host
		} else {
			answering[name] = row.host
		}
	}
	check := func(hosts map[string]*sim.Host, said map[string]string) {
		for name, h := range hosts {
			t.Run(name, func(t *testing.T) {
				judge(t, said[name], table[name].want)
				for _, writes := range []sim.Kind{sim.AskSFTP, sim.LookAt, sim.Other} {
					if n := h.Asked(writes); n > 0 {
						t.Errorf("it was sent %d commands (%s) that an observation has no use for", n, writes)
					}
				}
			})
		}
	}
	check(silent, refusals(t, silent, 2*time.Second, time.Second))
	check(answering, refusals(t, answering, 30*time.Second, 30*time.Second))
}

// refusals observes hosts and returns why a plan refuses each.
func refusals(t *testing.T, named map[string]*sim.Host, dial, patience time.Duration) map[string]string {
	var names []string
	var hosts []*sim.Host
	for name, h := range named {
		names, hosts = append(names, name), append(hosts, h)
	}
	inv := fleet(t, hosts)
	inv.SSH.DialTimeout = dial
	if h := named["refused"]; h != nil {
		h.StopListening()
	}
	s := openSession(t, inv)
	s.patience = patience
	for _, m := range s.hosts {
		m.meter.limit = 2 << 20
	}
	want := plan.Want{Inventory: inv}
	began := time.Now()
	got, err := s.Observe(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("took %s", took)
	}
	_, err = plan.Make(want, got)
	var refused plan.Refused
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want refusals", err)
	}
	said := map[string]string{}
	for _, r := range refused {
		for i, name := range names {
			if r.Host == hostName(i) {
				said[name] += r.Reason
			}
		}
	}
	return said
}

func judge(t *testing.T, got, want string) {
	t.Helper()
	t.Log(got)
	if want == "" && got != "" || !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
	if len(got) > 4096 {
		t.Errorf("an error of %d bytes", len(got))
	}
}

// What a manager says of its swarm may be nonsense too.
func TestNonsenseSwarm(t *testing.T) {
	tests := map[string]string{
		"nothing": `null`, "objects of nothing": `[{}]`, "nulls": `[null]`, "an object": `{}`, "text": `["a"]`,
		"half a service": `[{"Spec":{"Name":"db_proxy","Labels":{"rmqprov.cluster":"rmq"}}}]`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			hosts := swarmOf(t, 3)
			for _, path := range []string{"/services", "/networks", "/configs", "/secrets"} {
				for _, h := range hosts {
					h.Engine.Answers[path] = []byte(text)
				}
			}
			inv := fleet(t, hosts)
			inv.Networks = []inventory.Network{{Name: "prod", Subnet: "10.0.1.0/24"}}
			s := openSession(t, inv)
			want := wanted(inv)
			got, err := s.Observe(t.Context(), want)
			if err != nil {
				t.Fatal(err)
			}
			_, err = plan.Make(want, got)
			t.Log(err)
		})
	}
}

// Files cannot be written to a full disk or a read-only file system.
func TestUnwritable(t *testing.T) {
	full, readOnly := sound(t, 0), sound(t, 1)
	full.WriteError, readOnly.OpenError = errors.New("Failure"), errors.New("Failure")
	inv := fleet(t, []*sim.Host{full, readOnly})
	s := openSession(t, inv)
	for i := range inv.Hosts {
		_, err := s.hosts[hostName(i)].ssh.Put(t.Context(), remote.File{Path: "/x", Content: []byte("x"), Sudo: true})
		if err == nil || !strings.Contains(err.Error(), "disk full") || !strings.Contains(err.Error(), "/x") {
			t.Errorf("%s: got %v", hostName(i), err)
		}
	}
}

// Fifty hosts that do not answer are named together, and a sound one beside
// them is observed.
func TestUnreachableAreNamedAtOnce(t *testing.T) {
	var hosts []*sim.Host
	for range 50 {
		hosts = append(hosts, &sim.Host{Silent: true})
	}
	inv := fleet(t, append(hosts, sound(t, 50)))
	inv.SSH.DialTimeout = 1500 * time.Millisecond
	s := openSession(t, inv)
	began := time.Now()
	got, err := s.Observe(t.Context(), plan.Want{Inventory: inv})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 3*inv.SSH.DialTimeout { // one after another they would take fifty
		t.Errorf("took %s, and each may take %s", took, inv.SSH.DialTimeout)
	}
	for i := range hosts {
		if err := got.Hosts[hostName(i)].Facts.Err; err == nil || !strings.Contains(err.Error(), "no answer in time") {
			t.Errorf("%s: got %v", hostName(i), err)
		}
	}
	if err := got.Hosts[hostName(50)].Facts.Err; err != nil {
		t.Error(err)
	}
}
