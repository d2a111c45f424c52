//go:build lab && chaos

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// day is one of the worst that a cluster can have. All of it happens under load.
type day struct {
	name    string
	prepare act           // before the load
	befall  act           // what happens
	lasts   time.Duration // from then until it is mended
	mend    act
	by      string // the same for people
	restore act    // after the load
}

// act does something to the hosts of a lab.
type act func(*testing.T, *lab.Lab)

// noticed is when status is asked after something befell: the swarm calls a node
// down some 15 s after its last sign of life.
const noticed = 20 * time.Second

// wholeWithin is how long it may take until all is well again. Members wait up
// to some minutes for each other.
const wholeWithin = 10 * time.Minute

var days = []day{
	{
		name:   "one host loses its power",
		befall: each("kill", "node-2"), lasts: 30 * time.Second,
		mend: each("start", "node-2"), by: "the host's return",
	},
	leaderOfAll(),
	{
		name:   "two of three hosts lose their power",
		befall: each("kill", "node-2", "node-3"), lasts: 30 * time.Second,
		mend: each("start", "node-2", "node-3"), by: "the hosts' return",
	},
	{
		name:   "all hosts lose their power at once",
		befall: each("kill", "node-1", "node-2", "node-3"), lasts: 30 * time.Second,
		mend: each("start", "node-1", "node-2", "node-3"), by: "the hosts' return",
	},
	{
		name:   "one host is cut off",
		befall: each("cut", "node-1"), lasts: 90 * time.Second, // RabbitMQ calls it a partition after about 60 s
		mend: each("heal", "node-1"), by: "the network's return",
	},
	{
		name:   "one host hears no other",
		befall: filter("node-2", "PREROUTING -s", "-I"), lasts: 90 * time.Second,
		mend: filter("node-2", "PREROUTING -s", "-D"), by: "the network's return",
	},
	{
		name:   "one host is heard by no other",
		befall: filter("node-3", "POSTROUTING -d", "-I"), lasts: 90 * time.Second,
		mend: filter("node-3", "POSTROUTING -d", "-D"), by: "the network's return",
	},
	{
		name:   "one host freezes",
		befall: each("freeze", "node-3"), lasts: 30 * time.Second,
		mend: each("thaw", "node-3"), by: "the host's going on",
	},
	{
		name:    "a member's disk is full",
		prepare: smallDisk("node-2"), befall: script("node-2", fillDisk), lasts: 30 * time.Second,
		mend: script("node-2", emptyDisk), by: "room on the disk",
		restore: script("node-2", largeDisk),
	},
	{
		name:   "a member's volume is destroyed",
		befall: script("node-1", destroyVolume), lasts: 30 * time.Second,
		mend: rejoined("node-1"), by: "on the host `docker swarm leave --force` and `docker volume rm rabbitmq_rabbitmq-NN`, then `rmqprov apply`",
	},
}

// Each of the worst days, ROUNDS times over. What was seen goes to .lab/days.jsonl,
// a line a day. Where a day did not end well, the next one does not begin.
func TestWorstDays(t *testing.T) {
	l := standing(t)
	for round := range rounds(t) {
		for _, d := range days {
			if !t.Run(fmt.Sprintf("%s, round %d", d.name, round+1), func(t *testing.T) { d.live(t, l) }) {
				return
			}
		}
	}
}

// seen is what a day was like. bin/rmqlab days makes a table of them.
type seen struct {
	Day        string  `json:"day"`
	Status     string  `json:"status"` // what rmqprov status said meanwhile
	Mend       string  `json:"mend"`
	Lasted     float64 `json:"lasted"` // seconds, until it was mended
	Whole      float64 `json:"whole"`  // seconds from then until all was well
	Confirmed  int     `json:"confirmed"`
	Lost       int     `json:"lost"`
	Duplicated int     `json:"duplicated"`
	Publisher  float64 `json:"publisher"` // longest pause of all queues together, in seconds
	Consumer   float64 `json:"consumer"`

	PublisherQueue float64 `json:"publisher_queue"` // longest pause of a single queue
	ConsumerQueue  float64 `json:"consumer_queue"`

	Failed bool `json:"failed"`
}

func (d day) live(t *testing.T, l *lab.Lab) {
	awaitWhole(t, l)
	if d.prepare != nil {
		d.prepare(t, l)
		awaitWhole(t, l)
	}
	s := seen{Day: d.name, Mend: d.by}
	defer func() {
		s.Failed = t.Failed()
		s.note(t, l)
	}()
	report := underLoad(t, l, func() {
		began := time.Now()
		d.befall(t, l)
		time.Sleep(time.Until(began.Add(noticed))) // in which nothing but time brings it about
		s.Status = meanwhile(t, l)
		time.Sleep(time.Until(began.Add(d.lasts))) // how long the fault is to last is the case itself
		mending := time.Now()
		s.Lasted = mending.Sub(began).Seconds()
		d.mend(t, l)
		awaitWhole(t, l)
		s.Whole = time.Since(mending).Seconds()
	})
	s.Confirmed, s.Lost, s.Duplicated = report.Confirmed, report.Lost, report.Duplicated
	s.Publisher, s.Consumer = report.Publisher.Longest.Seconds, report.Consumer.Longest.Seconds
	s.PublisherQueue, s.ConsumerQueue = report.Publisher.Queue.Seconds, report.Consumer.Queue.Seconds
	if d.restore != nil {
		d.restore(t, l)
		awaitWhole(t, l)
	}
}

func (s seen) note(t *testing.T, l *lab.Lab) {
	t.Helper()
	line, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(filepath.Dir(l.Dir()), "days.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(append(line, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// meanwhile is what rmqprov status says of a cluster that is not well, in a line.
func meanwhile(t *testing.T, l *lab.Lab) string {
	t.Helper()
	began := time.Now()
	s, err := l.Status(t.Context())
	if err != nil {
		t.Error(err)
		return ""
	}
	if s.Healthy {
		t.Error("rmqprov status calls the cluster healthy")
	}
	t.Logf("status, after %.0f s: %s", time.Since(began).Seconds(), s)
	return s.String()
}

// awaitWhole waits until rmqprov status calls the cluster healthy, and wants the
// systems themselves to say the same.
func awaitWhole(t *testing.T, l *lab.Lab) {
	t.Helper()
	// status looks once: there is no event of a cluster that becomes whole.
	for end := time.Now().Add(wholeWithin); ; time.Sleep(time.Second) {
		s, err := l.Status(t.Context())
		if err == nil && s.Healthy {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("after %s, rmqprov status says: %s (%v)", wholeWithin, s, err)
		}
	}
	if err := l.Standing(t.Context(), l.Password); err != nil {
		t.Error(err)
	}
}

// each does one of rmqlab's verbs to hosts, to all at once.
func each(verb string, hosts ...string) act {
	return func(t *testing.T, l *lab.Lab) {
		errs := make([]error, len(hosts))
		var all sync.WaitGroup
		for i, h := range hosts {
			all.Go(func() { errs[i] = l.Do(t.Context(), verb, h) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
}

// script runs a script as root on a host.
func script(host, text string) act {
	return func(t *testing.T, l *lab.Lab) {
		if out, err := l.Root(t.Context(), host, text); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// filter drops packets one way only, between a host and the others: clients, and
// rmqprov, still reach it.
func filter(host, where, verb string) act {
	return func(t *testing.T, l *lab.Lab) {
		for _, h := range l.Hosts() {
			if h.Name != host {
				script(host, fmt.Sprintf("iptables -w -t mangle %s %s %s -j DROP\n", verb, where, h.Address))(t, l)
			}
		}
	}
}

// leaderOfAll is the day of the host that leads the swarm, Consul and every queue.
func leaderOfAll() day {
	leader := ""
	return day{
		name: "the host that leads swarm, Consul and all queues loses its power",
		prepare: func(t *testing.T, l *lab.Lab) {
			var err error
			if leader, err = l.LeadBoth(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		befall: func(t *testing.T, l *lab.Lab) {
			script(leader, leadQueues)(t, l)
			each("kill", leader)(t, l)
		},
		lasts: 30 * time.Second,
		mend:  func(t *testing.T, l *lab.Lab) { each("start", leader)(t, l) },
		by:    "the host's return",
	}
}

// leadQueues makes the member of a host lead all quorum queues.
const leadQueues = `set -e
id=$(docker ps -q -f name=rabbitmq_rabbitmq- | head -n 1)
docker exec -i "$id" bash -c 'ulimit -Sn 1024; exec rabbitmqctl -q eval "
  [rabbit_quorum_queue:transfer_leadership(Q, node()) || Q <- rabbit_amqqueue:list_by_type(rabbit_quorum_queue)],
  timer:sleep(1000),
  Elsewhere = [N || Q <- rabbit_amqqueue:list_by_type(rabbit_quorum_queue), {N, At} <- [amqqueue:get_pid(Q)], At =/= node()],
  case Elsewhere of [] -> led; _ -> exit({led_elsewhere, Elsewhere}) end."' </dev/null
`

// A disk of its own for the member, a little larger than the free space below
// which RabbitMQ stops publishers (2 GB): the lab's hosts share the machine's.
const (
	volumeOf = `dir=$(docker volume inspect -f '{{.Mountpoint}}' $(docker volume ls -q -f name=rabbitmq_rabbitmq-))
`
	smallDiskOn = `set -e
` + volumeOf + `systemctl stop docker.socket docker
mkdir -p /run/small
mount -t tmpfs -o size=2200M small /run/small
cp -a "$dir/." /run/small/
mount --bind /run/small "$dir"
systemctl start docker
`
	fillDisk = `set -e
` + volumeOf + `fallocate -l 400M "$dir/filled"
`
	emptyDisk = `set -e
` + volumeOf + `rm "$dir/filled"
`
	largeDisk = `set -e
` + volumeOf + `systemctl stop docker.socket docker
umount "$dir"
find "$dir" -mindepth 1 -delete
cp -a /run/small/. "$dir/"
umount /run/small
systemctl start docker
`
)

func smallDisk(host string) act { return script(host, smallDiskOn) }

// destroyVolume takes the disk from a member while it runs. The swarm starts the
// member again, with an empty one.
const destroyVolume = `volume=$(docker volume ls -q -f name=rabbitmq_rabbitmq-)
for try in $(seq 50); do
	docker ps -aq -f volume="$volume" | xargs -r docker rm -f >/dev/null
	docker volume rm "$volume" && exit 0
done
exit 1
`

// rejoined lets a host join anew without the member's data, so that the member is
// forgotten and another starts in its place.
func rejoined(host string) act {
	return func(t *testing.T, l *lab.Lab) {
		script(host, `docker swarm leave --force
`+destroyVolume)(t, l)
		applies(t, l, l.Inventory())
	}
}
