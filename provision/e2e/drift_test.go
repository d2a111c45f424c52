//go:build lab

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// driftBlocks are added to the lab's inventory, for what a cluster may have and
// the lab's does not need.
const driftBlocks = `
network "spare" { subnet = "10.0.9.0/24" }

file "limits" {
  path    = "/etc/rmq-limits"
  content = "nofile 65536\n"
  mode    = "0640"
}
`

// drift is something that is done by hand behind rmqprov's back.
type drift struct {
	name string
	host string // where it is done
	do   string // by root's shell

	// plan has the steps that it must lead to, by id, each with a part of its
	// reason; gates, hooks and records beside. An id may end in *.
	plan map[string]string

	// changed matches, by regular expressions, what may be another thing after
	// the repair than before the drift; all else must be the same.
	changed []string
}

// The order saves waiting: what harms nobody comes first, and what is foreign
// is there while all the rest is repaired.
var drifts = []drift{
	{
		name: "a foreign service and a foreign label added", host: "node-1",
		do: `docker service create -d -q --name foreign --constraint node.hostname==node-1 --endpoint-mode dnsrr haproxy:3.0 sleep 7d
docker node update --label-add foreign=1 node-1`,
		changed: []string{"service foreign", "task foreign node-1", "node node-1"},
	},
	{
		name: "a file edited", host: "node-1", do: `echo by hand >>/etc/rmqprov/rmq/stacks/haproxy/stack.yml`,
		plan:    map[string]string{"host.node-1.stackfiles": "content of /etc/rmqprov/rmq/stacks/haproxy/stack.yml differs"},
		changed: []string{"file node-1 /etc/rmqprov/rmq/stacks/haproxy/stack.yml"},
	},
	{
		name: "a file deleted", host: "node-2", do: `rm /etc/rmqprov/rmq/stacks/consul/stack.yml`,
		plan:    map[string]string{"host.node-2.stackfiles": "/etc/rmqprov/rmq/stacks/consul/stack.yml is not there"},
		changed: []string{"file node-2 /etc/rmqprov/rmq/stacks/consul/stack.yml"},
	},
	{
		name: "a file with another mode", host: "node-3", do: `chmod 666 /etc/rmq-limits`,
		plan:    map[string]string{"host.node-3.file./etc/rmq-limits": "mode of /etc/rmq-limits is 666, want 0640"},
		changed: []string{"file node-3 /etc/rmq-limits"},
	},
	{
		name: "an unused network removed", host: "node-1", do: `docker network rm spare`,
		plan:    map[string]string{"network.spare": "no network of that name"},
		changed: []string{"network spare"},
	},
	{
		name: "daemon.json edited, and a reload is enough", host: "node-1", do: `sed -i 's/10\.[0-9.]*:5000/192.0.2.1:5000/' /etc/docker/daemon.json`,
		plan:    map[string]string{"host.node-1.daemon": "differs in registry-mirrors"},
		changed: []string{"file node-1 /etc/docker/daemon.json"},
	},
	{
		name: "Docker disabled", host: "node-3", do: `systemctl disable docker`,
		plan:    map[string]string{"host.node-3.docker": "docker is not enabled"},
		changed: []string{"unit node-3 docker"},
	},
	{
		name: "a service scaled", host: "node-1", do: `docker service scale -d consul_consul-02=0`,
		plan:    map[string]string{"stack.consul.service.consul-02": "differs in Mode.Replicated.Replicas"},
		changed: []string{"service consul_consul-02", "task consul_consul-02 node-2", "record consul"},
	},
	{
		name: "a service with another image", host: "node-1", do: `docker service update -d -q --image redis:8.0 consul_consul-03`,
		plan:    map[string]string{"stack.consul.service.consul-03": "differs in Image"},
		changed: []string{"service consul_consul-03", "task consul_consul-03 node-3", "record consul"},
	},
	{
		name: "a service with another environment", host: "node-1", do: `docker service update -d -q --env-add EDITED=1 consul_consul-01`,
		plan:    map[string]string{"stack.consul.service.consul-01": "differs in Env[EDITED]"},
		changed: []string{"service consul_consul-01", "task consul_consul-01 node-1", "record consul"},
	},
	{
		name: "a service with other ports", host: "node-1",
		do:      `docker service update -d -q --publish-add published=1937,target=1936,mode=host haproxy_haproxy`,
		plan:    map[string]string{"stack.haproxy.service.haproxy": "differs in EndpointSpec.Ports[1937]"},
		changed: []string{"service haproxy_haproxy", "task haproxy_haproxy .*", "record haproxy"},
	},
	{
		name: "a config and a secret removed, with the service that uses them", host: "node-1",
		do: `docker service rm haproxy_haproxy
docker config ls -q -f name=haproxy_haproxy.cfg | xargs docker config rm
docker secret ls -q -f name=haproxy_stats_password | xargs docker secret rm`,
		plan: map[string]string{
			"stack.haproxy.config.haproxy.cfg":    "no config of that content",
			"stack.haproxy.secret.stats_password": "its value will be generated once",
			"stack.haproxy.service.haproxy":       "not deployed",
		},
		changed: []string{"service haproxy_haproxy", "task haproxy_haproxy .*", "config haproxy_haproxy.cfg-.*", "secret haproxy_stats_password-.*", "record haproxy"},
	},
	{
		name: "a service removed", host: "node-1", do: `docker service rm rabbitmq_rabbitmq-02`,
		plan:    map[string]string{"stack.rabbitmq.service.rabbitmq-02": "not deployed"},
		changed: []string{"service rabbitmq_rabbitmq-02", "task rabbitmq_rabbitmq-02 node-2", "record rabbitmq"},
	},
	{
		name: "a node's label removed", host: "node-1", do: `docker node update --label-rm rmqprov.slot.consul-02 node-2`,
		plan:    map[string]string{"host.node-2.node": "labels.rmqprov.slot.consul-02 is missing"},
		changed: []string{"task consul_consul-02 node-2", "record consul"},
	},
	{
		name: "a node's label moved", host: "node-1",
		do: `docker node update --label-rm rmqprov.slot.rabbitmq-03 node-3
docker node update --label-add rmqprov.slot.rabbitmq-03=true node-1`,
		plan: map[string]string{
			"host.node-1.node": "labels.rmqprov.slot.rabbitmq-03 does not belong here",
			"host.node-3.node": "labels.rmqprov.slot.rabbitmq-03 is missing",
		},
		changed: []string{"task rabbitmq_rabbitmq-03 node-3", "record rabbitmq"},
	},
	{
		name: "a manager demoted", host: "node-1", do: `docker node demote node-2`,
		plan: map[string]string{"host.node-2.node": "role is worker, want manager"},
	},
	{
		name: "a manager drained", host: "node-1", do: `docker node update --availability drain node-2`,
		plan:    map[string]string{"host.node-2.node": "availability is drain, want active"},
		changed: []string{"task .* node-2", "record .*"},
	},
	{
		name: "daemon.json edited, and Docker must restart", host: "node-3", do: `sed -i 's/50m/10m/' /etc/docker/daemon.json`,
		plan:    map[string]string{"host.node-3.daemon": "differs in log-opts"},
		changed: []string{"file node-3 /etc/docker/daemon.json", "unit node-3 docker", "task .* node-3", "record .*"},
	},
	{
		name: "Docker stopped", host: "node-2", do: `systemctl stop docker.socket docker`,
		plan:    map[string]string{"host.node-2.docker": "docker is installed but not running"},
		changed: []string{"unit node-2 docker", "task .* node-2", "record .*"},
	},
	{
		name: "a stack removed", host: "node-1", do: `docker stack rm rabbitmq`,
		plan: map[string]string{
			"stack.rabbitmq.service.rabbitmq-01": "not deployed",
			"stack.rabbitmq.service.rabbitmq-02": "not deployed",
			"stack.rabbitmq.service.rabbitmq-03": "not deployed",
		},
		changed: []string{"service rabbitmq_.*", "task rabbitmq_.*", "record rabbitmq"},
	},
	{
		name: "a manager that left the swarm", host: "node-3", do: `docker swarm leave --force`,
		plan: map[string]string{
			"lost.node-3.node.*":                   "host node-3 has left the swarm",
			"host.node-3.preflight":                "it is to join the swarm",
			"host.node-3.swarm":                    "not a member, want manager",
			"host.node-3.node":                     "labels.rmqprov.slot.rabbitmq-03 is missing",
			"stack.haproxy.service.haproxy.spread": "runs on every host",
		},
		changed: []string{"node node-3", "task .* node-3", "record .*"},
	},
}

func testDrift(t *testing.T, l *lab.Lab) {
	if err := l.Extend(driftBlocks); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, d := range drifts {
		t.Run(d.name, func(t *testing.T) {
			before := things(t, l)
			if out, err := l.Root(t.Context(), d.host, "set -e\n"+d.do+"\n"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			comparePlan(t, planned(t, l), d.plan)
			out, err := l.Apply(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if nothing := strings.Contains(out, "Nothing to do"); nothing != (d.plan == nil) {
				t.Errorf("apply says that there is nothing to do: %t\n%s", nothing, out)
			}
			awaitSame(t, l, before, d.changed)
			if after := planned(t, l); len(after) > 0 {
				t.Errorf("the plan after the repair is not empty: %v", after)
			}
		})
	}
	t.Run("the cluster is whole", func(t *testing.T) {
		testViews(t, l)
		testVerdicts(t, l)
	})
}

// planned is the plan now: the reasons of its steps, by their ids.
func planned(t *testing.T, l *lab.Lab) map[string]string {
	t.Helper()
	cmd := l.Rmqprov(t.Context(), "plan", "--json", l.Inventory())
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("rmqprov plan: %v\n%s", err, exit.Stderr)
	}
	var p struct {
		Steps []struct{ ID, Why string }
	}
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatalf("rmqprov plan --json: %v\n%s", err, out)
	}
	steps := map[string]string{}
	for _, s := range p.Steps {
		steps[s.ID] = s.Why
	}
	return steps
}

// around are the steps that a plan has beside changes: they check, and note.
var around = regexp.MustCompile(`\.(begin|ready)$|\.(gate|before-stop|after-join|after-change)\.`)

// comparePlan wants the steps that are given, with those reasons, and no others
// that change anything.
func comparePlan(t *testing.T, got, want map[string]string) {
	t.Helper()
	left := map[string]bool{}
	for id := range want {
		left[id] = true
	}
	for id, why := range got {
		pattern := id
		if _, ok := want[id]; !ok {
			pattern = id[:strings.LastIndex(id, ".")+1] + "*"
		}
		part, ok := want[pattern]
		switch {
		case ok && !strings.Contains(why, part):
			t.Errorf("step %s is there because %q, want %q", id, why, part)
		case !ok && !around.MatchString(id):
			t.Errorf("the plan has step %s (%s), which nothing asks for", id, why)
		}
		delete(left, pattern)
	}
	for id := range left {
		t.Errorf("the plan has no step %s", id)
	}
	if t.Failed() {
		t.Logf("the plan is %v", got)
	}
}

// sameWithin bounds how long a cluster may take after an apply until all its
// tasks run again.
const sameWithin = 2 * time.Minute

// awaitSame waits until things are as they were, but for what may be changed.
func awaitSame(t *testing.T, l *lab.Lab, before map[string]string, changed []string) {
	t.Helper()
	may := regexp.MustCompile("^(" + strings.Join(changed, "|") + ")$")
	var differ []string
	for deadline := time.Now().Add(sameWithin); time.Now().Before(deadline); time.Sleep(time.Second) {
		after := things(t, l)
		if differ = differences(before, after, may); len(differ) == 0 {
			return
		}
	}
	t.Errorf("beside what was to be repaired there changed:\n%s", strings.Join(differ, "\n"))
}

// differences are the things that differ, and those that may but are gone.
func differences(before, after map[string]string, may *regexp.Regexp) []string {
	var lines []string
	for name, was := range before {
		is, there := after[name]
		gone := !there && !strings.HasPrefix(name, "secret ") // a generated secret may come back under another name
		if was != is && (gone || !may.MatchString(name)) {
			lines = append(lines, fmt.Sprintf("%s: was %q, is %q", name, was, is))
		}
	}
	for name, is := range after {
		if _, was := before[name]; !was && !may.MatchString(name) {
			lines = append(lines, fmt.Sprintf("%s: is new: %q", name, is))
		}
	}
	slices.Sort(lines)
	return lines
}

// things are the objects of the swarm and of the hosts by what they are called,
// each with what becomes another when the object is changed.
func things(t *testing.T, l *lab.Lab) map[string]string {
	t.Helper()
	found := map[string]string{}
	for i, h := range l.Hosts() {
		script := lookAtHost
		if i == 0 {
			script += lookAtSwarm
		}
		out, err := l.Root(t.Context(), h.Name, script)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(strings.ReplaceAll(out, "HOST", h.Name)) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				found[name] = value
			}
		}
	}
	return found
}

const lookAtHost = `
find /etc/rmqprov /etc/docker /etc/rmq-limits -type f -printf 'file HOST %p\t%T@ %m %u\n' 2>/dev/null
printf 'unit HOST docker\t%s\n' "$(systemctl show docker -p ActiveEnterTimestampMonotonic -p UnitFileState -p ActiveState --value | paste -sd' ')"
`

// lookAtSwarm leaves out the versions of nodes, which count every sign of life,
// and tasks that do not run.
const lookAtSwarm = `
tab=$(printf '\t')
for kind in service config secret; do
	docker $kind ls -q | xargs -r docker $kind inspect -f "$kind {{.Spec.Name}}$tab{{.ID}} {{.Version.Index}}"
done | sed 's/^config rmqprov-rmq-/record /'
docker network ls -q --no-trunc -f driver=overlay | xargs -r docker network inspect -f "network {{.Name}}$tab{{.Id}}"
docker node ls -q | xargs docker node inspect -f "node {{.Description.Hostname}}$tab{{.ID}} {{.Spec.Role}} {{.Spec.Availability}} {{json .Spec.Labels}}"
docker service ls -q | xargs docker service ps -f desired-state=running --no-trunc --format '{{.Name}} {{.Node}} {{.ID}} {{.CurrentState}}' |
	sed -n "s/^\([^. ]*\)\.[^ ]* \([^ ]*\) \([^ ]*\) Running .*/task \1 \2$tab\3/p"
`
