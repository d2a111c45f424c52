package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Keep takes for the lab's hosts those of these names.
func (l *Lab) Keep(names ...string) {
	l.hosts = slices.DeleteFunc(slices.Clone(l.hosts), func(h Host) bool { return !slices.Contains(names, h.Name) })
}

// InventoryWithout writes the lab's inventory into a directory as if it had no host of that name,
// and returns its path.
func (l *Lab) InventoryWithout(dir, host string) (string, error) {
	text, err := os.ReadFile(l.Inventory())
	if err != nil {
		return "", err
	}
	block := regexp.MustCompile(`(?m)^host "` + regexp.QuoteMeta(host) + `" \{.*\}\n`)
	path := filepath.Join(dir, "without-"+host+".hcl")
	return path, os.WriteFile(path, block.ReplaceAll(text, nil), 0o600)
}

// Settled is nil when the lab's hosts are Standing, and the leaders of queues are spread
// evenly.
func (l *Lab) Settled(ctx context.Context, password string) error {
	return l.await(ctx, password, evenly)
}

// Standing is nil when Docker's swarm and RabbitMQ have the lab's hosts for managers and members,
// Consul has three of them, nobody has anybody else, and every quorum queue has a replica on line
// on each. RabbitMQ's statistics lag some seconds behind, and so long it waits.
func (l *Lab) Standing(ctx context.Context, password string) error {
	return l.await(ctx, password, func(map[string]int) error { return nil })
}

func (l *Lab) await(ctx context.Context, password string, spread func(leads map[string]int) error) error {
	var err error
	for range 10 {
		leads, unfit := l.queues(ctx, password)
		if unfit == nil {
			unfit = spread(leads)
		}
		if err = errors.Join(l.Whole(ctx), l.swarmNodes(ctx), l.consulCatalog(ctx), unfit); err == nil {
			return nil
		}
		time.Sleep(3 * time.Second)
	}
	return err
}

func (l *Lab) swarmNodes(ctx context.Context) error {
	out, err := l.Root(ctx, l.hosts[0].Name, "docker node ls --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}' | sort\n")
	if err != nil {
		return err
	}
	n := len(l.hosts)
	if managers := strings.Count(out, "Leader") + strings.Count(out, "Reachable"); managers != n || strings.Count(out, "Ready ") != n || strings.Count(out, "\n") != n {
		return fmt.Errorf("the swarm has not %d managers that are ready and reachable, but:\n%s", n, out)
	}
	return nil
}

func (l *Lab) consulCatalog(ctx context.Context) error {
	var nodes, entries []struct{ Node, ServiceAddress string }
	base := "http://" + l.hosts[0].Address + ":8500/v1/catalog/"
	if err := errors.Join(getJSON(ctx, base+"nodes", "", "", &nodes), getJSON(ctx, base+"service/rabbitmq", "", "", &entries)); err != nil {
		return err
	}
	var listed []string
	for _, e := range entries {
		listed = append(listed, e.ServiceAddress)
	}
	slices.Sort(listed)
	if want := l.memberNames(); !slices.Equal(listed, want) || len(nodes) != servers {
		return fmt.Errorf("the catalog of Consul lists %v on %d nodes, want %v on %d", listed, len(nodes), want, servers)
	}
	return nil
}

// queues asks for the replicas of every quorum queue, and counts how many each member leads.
func (l *Lab) queues(ctx context.Context, password string) (leads map[string]int, err error) {
	var nodes []struct {
		Name    string
		Drained bool `json:"being_drained"`
	}
	var queues []struct {
		Name, Type, Leader string
		Members, Online    []string
	}
	base := "http://" + l.hosts[0].Address + ":15672/api/"
	if err := errors.Join(getJSON(ctx, base+"nodes", "admin", password, &nodes), getJSON(ctx, base+"queues", "admin", password, &queues)); err != nil {
		return nil, err
	}
	if len(nodes) != len(l.hosts) {
		return nil, fmt.Errorf("RabbitMQ knows %d members, want %d: %v", len(nodes), len(l.hosts), nodes)
	}
	leads = map[string]int{}
	for _, n := range nodes {
		if n.Drained {
			return nil, fmt.Errorf("member %s is drained", n.Name)
		}
		leads[n.Name] = 0
	}
	for _, q := range queues {
		if q.Type != "quorum" {
			continue
		}
		if len(q.Members) != len(l.hosts) || len(q.Online) != len(l.hosts) {
			return nil, fmt.Errorf("queue %s has replicas on %v, of which %v are on line", q.Name, q.Members, q.Online)
		}
		leads[q.Leader]++
	}
	return leads, nil
}

func evenly(leads map[string]int) error {
	var counts []int
	for _, n := range leads {
		counts = append(counts, n)
	}
	slices.SortFunc(counts, cmp.Compare)
	if counts[len(counts)-1]-counts[0] > 1 {
		return fmt.Errorf("the members lead unevenly: %v", leads)
	}
	return nil
}
