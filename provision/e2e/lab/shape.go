package lab

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// describeHost prints all that an apply makes, without what differs from one
// apply to the next: ids, times, generated values. What the whole swarm has is
// told by each of its hosts, all of which are managers.
const describeHost = `
find /etc/rmqprov /etc/docker -printf 'path %p %y %m %U:%G\n' 2>/dev/null | sort
find /etc/rmqprov /etc/docker -type f -exec sha256sum {} + 2>/dev/null | sort -k 2
command -v docker >/dev/null || { echo no docker; exit 0; }
systemctl show docker -p ActiveState -p UnitFileState
docker info -f 'swarm {{.Swarm.LocalNodeState}} manager {{.Swarm.ControlAvailable}}'
docker image ls --format 'image {{.Repository}}:{{.Tag}}' | sort
docker volume ls -q | sort | xargs -r docker volume inspect -f 'volume {{.Name}} {{json .Labels}}'
docker network ls -q -f driver=overlay | xargs -r docker network inspect -f 'network {{.Name}} {{.Attachable}} {{json .Labels}} {{json .IPAM.Config}}' | sort
docker node ls -q 2>/dev/null | xargs -r docker node inspect -f 'node {{.Description.Hostname}} {{.Status.State}} {{json .Spec}}' | sort
docker config ls -q 2>/dev/null | xargs -r docker config inspect -f 'config {{.Spec.Name}} {{json .Spec.Labels}}' | sort
docker secret ls -q 2>/dev/null | xargs -r docker secret inspect -f 'secret {{.Spec.Name}} {{json .Spec.Labels}}' | sort
docker service ls -q 2>/dev/null | xargs -r docker service inspect -f 'service {{json .Spec}}' | sort
`

// passing matches what is another at each apply: the ids of objects, who applied
// and when.
var passing = regexp.MustCompile(`"(SecretID|ConfigID)":"[a-z0-9]*"|"Target":"[a-z0-9]{25}"|"rmqprov\.(time|by|version|inventory)":"[^"]*",?`)

// Shape describes what stands on each host, such that two applies of the same
// inventory leave the same.
func (l *Lab) Shape(ctx context.Context) (map[string]string, error) {
	shape, err := l.everywhere(ctx, describeHost)
	for host, text := range shape {
		shape[host] = passing.ReplaceAllString(text, "")
	}
	return shape, err
}

// describeLitter prints what a run that ended must not leave on a host. The
// lock is a file that stays; it is held when flock says so.
const describeLitter = `
find / -xdev \( -path /proc -o -path /sys -o -path /var/lib/docker \) -prune -o -name '.*.rmqprov-*' -print
for lock in /run/rmqprov-*.lock; do
	[ ! -f "$lock" ] || flock -n "$lock" true || echo "$lock is held: $(cat "$lock")"
done
systemctl list-units --all --no-legend --plain 'rmqprov-*'
for process in $(grep -lE 'rmqprov-[A-Za-z0-9_-]{12}|dial-stdio|sftp-server' /proc/[0-9]*/cmdline 2>/dev/null); do
	tr '\0' ' ' <"$process" 2>/dev/null | cut -c 1-200; echo
done
`

// Litter is what runs that ended have left on the hosts, a line each: temporary
// files, locks that are held, processes. "" when there is none.
func (l *Lab) Litter(ctx context.Context) (string, error) {
	found, err := l.everywhere(ctx, describeLitter)
	var all strings.Builder
	for _, h := range l.hosts {
		for line := range strings.Lines(found[h.Name]) {
			if strings.TrimSpace(line) != "" {
				fmt.Fprintf(&all, "%s: %s\n", h.Name, strings.TrimSpace(line))
			}
		}
	}
	return all.String(), err
}

// describeRemains prints what a destroy must not leave.
const describeRemains = `
find /etc/rmqprov /etc/docker /var/lib/rmqprov -type f 2>/dev/null
command -v docker >/dev/null || exit 0
[ "$(docker info -f '{{.Swarm.LocalNodeState}}')" = inactive ] || echo "it is in a swarm"
docker network ls -q -f driver=overlay | sed 's/^/network /'
docker ps -aq | sed 's/^/container /'
docker volume ls -q -f label=rmqprov.cluster | sed 's/^/volume /'
`

// Remains are what of a cluster is still there after a destroy with its volumes,
// a line each.
func (l *Lab) Remains(ctx context.Context) (string, error) {
	found, err := l.everywhere(ctx, describeRemains)
	var all strings.Builder
	for _, h := range l.hosts {
		for line := range strings.Lines(found[h.Name]) {
			fmt.Fprintf(&all, "%s: %s", h.Name, line)
		}
	}
	return all.String(), err
}

// everywhere runs a script as root on all hosts at once, and returns what it
// printed there.
func (l *Lab) everywhere(ctx context.Context, script string) (map[string]string, error) {
	outs, errs := make([]string, len(l.hosts)), make([]error, len(l.hosts))
	var all sync.WaitGroup
	for i, h := range l.hosts {
		all.Go(func() { outs[i], errs[i] = l.Root(ctx, h.Name, script) })
	}
	all.Wait()
	said := map[string]string{}
	for i, h := range l.hosts {
		if errs[i] != nil {
			return nil, errs[i]
		}
		said[h.Name] = outs[i]
	}
	return said, nil
}

// askWatermark asks the memory monitor of the member on a host for its limit.
const askWatermark = `id=$(docker ps -q -f name=rabbitmq_rabbitmq- | head -n 1)
docker exec -i "$id" bash -c 'ulimit -Sn 1024; exec rabbitmqctl -q eval "vm_memory_monitor:get_vm_memory_high_watermark()."' </dev/null
`

// Watermarks asks each RabbitMQ member, on its own host, which share of the
// memory it may use.
func (l *Lab) Watermarks(ctx context.Context) (map[string]string, error) {
	said, err := l.everywhere(ctx, askWatermark)
	for host, text := range said {
		said[host] = strings.TrimSpace(text)
	}
	return said, err
}
