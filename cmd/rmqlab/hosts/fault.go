package hosts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Kill cuts a host's power. A frozen host dies too. Its network goes first: the kernel would close
// the connections of killed processes, and a host without power says no goodbye.
func (l *Lab) Kill(ctx context.Context, h Host) error {
	if h.State == Killed {
		return fmt.Errorf("host %s is killed already", h.Name)
	}
	if h.State != Cut {
		if err := l.Cut(ctx, h); err != nil {
			return err
		}
	}
	_, err := l.Engine.Docker(ctx, "container", "kill", h.container)
	return err
}

// PowerOn starts a host that is off. Its disks are as they were.
func (l *Lab) PowerOn(ctx context.Context, h Host) error {
	_, err := l.Engine.Docker(ctx, "container", "start", h.container)
	return err
}

// Freeze stops every process of a host; its network still takes packets.
func (l *Lab) Freeze(ctx context.Context, h Host) error {
	if h.State == Frozen || h.State == Killed {
		return fmt.Errorf("host %s is %s already", h.Name, h.State)
	}
	var err error
	for range 10 { // on a busy machine, cgroup v1 does not always stop all processes within runc's patience
		if _, err = l.Engine.Docker(ctx, "container", "pause", h.container); err == nil {
			return nil
		}
	}
	return err
}

// Thaw undoes Freeze.
func (l *Lab) Thaw(ctx context.Context, h Host) error {
	if h.State != Frozen {
		return fmt.Errorf("host %s is not frozen but %s", h.Name, h.State)
	}
	_, err := l.Engine.Docker(ctx, "container", "unpause", h.container)
	return err
}

// Cut takes a host's network away, as a switch would that stops forwarding: the host's own
// interface keeps its carrier, its address and its connections.
func (l *Lab) Cut(ctx context.Context, h Host) error {
	return l.cable(ctx, h, "nomaster")
}

// Heal undoes Cut.
func (l *Lab) Heal(ctx context.Context, h Host) error {
	return l.cable(ctx, h, "master", l.bridge())
}

func (l *Lab) cable(ctx context.Context, h Host, to ...string) error {
	if h.pid == 0 {
		return fmt.Errorf("host %s is off: start it first", h.Name)
	}
	peer, err := peerInterface(h.pid)
	if err != nil {
		return fmt.Errorf("host %s: %w", h.Name, err)
	}
	args := append([]string{"link", "set", "dev", peer}, to...)
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// isCut reports whether the machine's end of a host's cable is in no bridge.
func isCut(pid int) bool {
	peer, err := peerInterface(pid)
	if err != nil {
		return true
	}
	_, err = os.Stat("/sys/class/net/" + peer + "/master")
	return errors.Is(err, fs.ErrNotExist)
}

// peerInterface is the machine's end of the cable to a host's eth0.
func peerInterface(pid int) (string, error) {
	// A host's own /sys shows its own network.
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/sys/class/net/eth0/iflink", pid))
	if err != nil {
		return "", fmt.Errorf("looking for its network: %w", err)
	}
	index, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return "", err
	}
	iface, err := net.InterfaceByIndex(index)
	if err != nil {
		return "", fmt.Errorf("looking for the other end of its cable: %w", err)
	}
	return iface.Name, nil
}

// Revive undoes Kill, Freeze or Cut, whichever a host suffers.
func (l *Lab) Revive(ctx context.Context, h Host) error {
	switch h.State {
	case Killed:
		return l.PowerOn(ctx, h)
	case Frozen:
		return l.Thaw(ctx, h)
	case Cut:
		return l.Heal(ctx, h)
	}
	return nil
}

// Throttle gives a host at most that many cores, 0.05 for a twentieth of one; 0 lifts the limit.
func (l *Lab) Throttle(ctx context.Context, h Host, cores float64) error {
	const period = 100_000 // µs
	quota := -1
	if cores != 0 {
		quota = int(cores * period)
	}
	if quota != -1 && quota < 1000 {
		return fmt.Errorf("a host needs at least a hundredth of a core, and %g is less; 0 lifts the limit", cores)
	}
	_, err := l.Engine.Docker(ctx, "container", "update",
		"--cpu-period", strconv.Itoa(period), "--cpu-quota", strconv.Itoa(quota), h.container)
	return err
}

// Block drops what comes to a port of a host from outside, and what the host sends to that port
// elsewhere. Port is "5672/tcp"; without a protocol it is TCP.
func (l *Lab) Block(ctx context.Context, h Host, port string) error {
	return l.portRules(ctx, h, port, "-I")
}

// Unblock undoes Block.
func (l *Lab) Unblock(ctx context.Context, h Host, port string) error {
	return l.portRules(ctx, h, port, "-D")
}

// portRules changes the host's own packet filter, from the machine: a bare host has no iptables.
// The mangle table sees packets before any container's port is translated.
func (l *Lab) portRules(ctx context.Context, h Host, port, verb string) error {
	number, protocol, found := strings.Cut(port, "/")
	if !found {
		protocol = "tcp"
	}
	if n, err := strconv.Atoi(number); err != nil || n < 1 || n > 65535 || (protocol != "tcp" && protocol != "udp") {
		return fmt.Errorf("%q is not a port: write 5672, 5672/tcp or 4789/udp", port)
	}
	if h.pid == 0 {
		return fmt.Errorf("host %s is off: start it first", h.Name)
	}
	for _, chain := range [][]string{{"PREROUTING", "!", "-i", "lo"}, {"POSTROUTING", "!", "-o", "lo"}} {
		args := append([]string{"--target", strconv.Itoa(h.pid), "--net", "iptables", "--wait", "-t", "mangle", verb}, chain...)
		args = append(args, "-p", protocol, "--dport", number, "-j", "DROP")
		if out, err := exec.CommandContext(ctx, "nsenter", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("nsenter %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// Remove takes a host and its disks away for good.
func (l *Lab) Remove(ctx context.Context, h Host) error {
	if h.State == Frozen { // a frozen container cannot be killed on cgroup v1
		if err := l.Thaw(ctx, h); err != nil {
			return err
		}
	}
	if _, err := l.Engine.Docker(ctx, "container", "rm", "--force", "--volumes", h.container); err != nil {
		return err
	}
	for _, v := range volumes {
		if _, err := l.Engine.Docker(ctx, "volume", "rm", "--force", l.volumeName(h.Name, v)); err != nil {
			return err
		}
	}
	return nil
}
