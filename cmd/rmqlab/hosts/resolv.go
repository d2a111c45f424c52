package hosts

import (
	"net/netip"
	"os"
	"strings"
)

// machineResolvConf is a resolv.conf for hosts, naming the servers that this machine asks,
// or "" when the machine asks only a server on its own loopback that names no upstream.
func machineResolvConf() string {
	for _, path := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if conf := reachableServers(string(text)); conf != "" {
			return conf
		}
	}
	return ""
}

// reachableServers keeps the name servers that a host behind this machine can reach.
func reachableServers(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(fields[1]); err == nil && a.Is4() && !a.IsLoopback() {
			b.WriteString("nameserver " + a.String() + "\n")
		}
	}
	return b.String()
}
