package cloud

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/rmqprov/rmqprov/inventory"
)

// maxLabel is how long a DNS label may be, and with it a host's name.
const maxLabel = 63

var notLabel = regexp.MustCompile(`[^a-z0-9]+`)

// label makes a Name tag a DNS label: "RMQ node 1" becomes "rmq-node-1".
func label(name string) string {
	return cut(strings.Trim(notLabel.ReplaceAllString(strings.ToLower(name), "-"), "-"), maxLabel)
}

func cut(s string, n int) string { return strings.TrimRight(s[:min(len(s), n)], "-") }

// distinct returns each instance once, each under a name of its own, in order.
// All that share a name get their id appended, not all but one: else who keeps
// the plain name would depend on the order in which EC2 tells them.
func distinct(found []inventory.Host) []inventory.Host {
	var hosts []inventory.Host
	uses := map[string]int{}
	for _, h := range found {
		if slices.ContainsFunc(hosts, func(have inventory.Host) bool { return have.InstanceID == h.InstanceID }) {
			continue
		}
		hosts = append(hosts, h)
		uses[h.Name]++
	}
	for i, h := range hosts {
		switch {
		case h.Name == "":
			hosts[i].Name = h.InstanceID
		case uses[h.Name] > 1:
			hosts[i].Name = cut(h.Name, maxLabel-len(h.InstanceID)-1) + "-" + h.InstanceID
		}
	}
	slices.SortFunc(hosts, func(a, b inventory.Host) int { return natural(a.Name, b.Name) })
	return hosts
}

var runsOfDigits = regexp.MustCompile(`[0-9]+|[^0-9]+`)

// natural compares names as people count: node-2 stands before node-10.
func natural(a, b string) int {
	x, y := runsOfDigits.FindAllString(a, -1), runsOfDigits.FindAllString(b, -1)
	for i := range min(len(x), len(y)) {
		if c := compareRuns(x[i], y[i]); c != 0 {
			return c
		}
	}
	return cmp.Or(len(x)-len(y), strings.Compare(a, b))
}

func compareRuns(a, b string) int {
	if a[0] < '0' || a[0] > '9' || b[0] < '0' || b[0] > '9' {
		return strings.Compare(a, b)
	}
	m, n := strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(len(m)-len(n), strings.Compare(m, n))
}
