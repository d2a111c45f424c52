package hosts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
)

func (l *Lab) networkName() string { return "rmqlab-" + l.Name }

// bridge is the network's interface on the machine; the kernel allows 15 bytes.
func (l *Lab) bridge() string {
	sum := sha256.Sum256([]byte(l.Name))
	return "rmqlab-" + hex.EncodeToString(sum[:4])
}

// Network makes sure that the lab's network is there, with a way out for its hosts.
func (l *Lab) Network(ctx context.Context) error {
	there, err := l.hasNetwork(ctx)
	if err != nil {
		return err
	}
	if !there {
		if err := l.createNetwork(ctx); err != nil {
			return err
		}
	}
	return l.route(ctx)
}

func (l *Lab) hasNetwork(ctx context.Context) (bool, error) {
	out, err := l.Engine.Docker(ctx, "network", "ls", "--quiet", "--filter", "label="+labelLab+"="+l.Name)
	return out != "", err
}

func (l *Lab) createNetwork(ctx context.Context) error {
	l.Engine.Say("creating network %s (%s, gateway %s)", l.networkName(), l.Subnet, Gateway(l.Subnet))
	if err := subnetIsFree(l.Subnet); err != nil {
		return err
	}
	_, err := l.Engine.Docker(ctx, "network", "create", "--driver", "bridge",
		"--subnet", l.Subnet.String(), "--gateway", Gateway(l.Subnet).String(),
		"--opt", "com.docker.network.bridge.name="+l.bridge(),
		"--label", labelLab+"="+l.Name, "--label", labelSubnet+"="+l.Subnet.String(), l.networkName())
	return err
}

// subnetIsFree keeps the lab from taking addresses that the machine uses for something else.
func subnetIsFree(subnet netip.Prefix) error {
	ifaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, iface := range ifaces {
		addrs, err := iface.Addrs()
		if err != nil {
			return err
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Overlaps(subnet) {
				return fmt.Errorf("subnet %s overlaps %s of interface %s: choose another with --subnet", subnet, p, iface.Name)
			}
		}
	}
	return nil
}

// rules let the lab's hosts out, whatever policy another Docker engine has set on FORWARD.
// Segments are clamped because the machine's way out may be narrower than the bridge.
func (l *Lab) rules() [][]string {
	out := []string{"-s", l.Subnet.String(), "!", "-d", l.Subnet.String()}
	return [][]string{
		append([]string{"nat", "POSTROUTING"}, append(out, "-j", "MASQUERADE")...),
		append([]string{"mangle", "FORWARD"}, append(out, "-p", "tcp", "--tcp-flags", "SYN,RST", "SYN", "-j", "TCPMSS", "--clamp-mss-to-pmtu")...),
		{"filter", "FORWARD", "-i", l.bridge(), "-j", "ACCEPT"},
		{"filter", "FORWARD", "-o", l.bridge(), "-j", "ACCEPT"},
	}
}

func (l *Lab) route(ctx context.Context) error {
	for _, r := range l.rules() {
		if iptables(ctx, r[0], "-C", r[1:]) == nil {
			continue
		}
		if err := iptables(ctx, r[0], "-I", r[1:]); err != nil {
			return err
		}
	}
	return nil
}

// RemoveNetwork takes away the network and its rules; what is not there is no error.
func (l *Lab) RemoveNetwork(ctx context.Context) error {
	there, err := l.hasNetwork(ctx)
	if err != nil || !there {
		return err
	}
	for _, r := range l.rules() {
		for iptables(ctx, r[0], "-D", r[1:]) == nil {
		}
	}
	_, err = l.Engine.Docker(ctx, "network", "rm", l.networkName())
	return err
}

func iptables(ctx context.Context, table, verb string, rule []string) error {
	args := append([]string{"--wait", "-t", table, verb}, rule...)
	out, err := exec.CommandContext(ctx, "iptables", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("iptables %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
