package hosts

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/amzn"
	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
)

// suites are the Debian releases that hosts come in.
var suites = map[string]string{"debian12": "bookworm", "debian13": "trixie"}

// Systems are the names that `--os` takes.
func Systems() []string {
	return append(slices.Sorted(maps.Keys(suites)), amzn.Lines...)
}

// BuildImage makes sure that the image of that system's hosts is there, and returns its tag.
func BuildImage(ctx context.Context, e *engine.Engine, system string) (string, error) {
	tag := "rmqlab/host:" + system
	if suite, ok := suites[system]; ok {
		mirror, err := engine.ReadMirror(ctx)
		if err != nil {
			return "", err
		}
		return tag, e.BuildRootfs(ctx, tag, debianRootfs(suite, mirror))
	}
	if slices.Contains(amzn.Lines, system) {
		return tag, amzn.Build(ctx, e, system)
	}
	return "", fmt.Errorf("no host system is called %q: choose from %s", system, strings.Join(Systems(), ", "))
}

// debianPackages are what Debian's own cloud image has and a provisioner may meet, and no more:
// no curl, no jq, no iptables, no python.
var debianPackages = []string{
	"ca-certificates", "dbus", "iproute2", "kmod", "netbase", "openssh-server", "procps", "sudo", "systemd", "systemd-sysv",
}

func debianRootfs(suite string, mirror engine.Mirror) engine.Rootfs {
	files := map[string]engine.File{
		"/etc/apt/sources.list":   {Mode: 0o644, Content: mirror.SourcesList(suite)},
		"/etc/sudoers.d/90-cloud": {Mode: 0o440, Content: User + " ALL=(ALL) NOPASSWD:ALL\n"},
	}
	if conf := mirror.AptConf(); conf != "" {
		files["/etc/apt/apt.conf.d/90machine"] = engine.File{Mode: 0o644, Content: conf}
	}
	return engine.Rootfs{
		Suite:     suite,
		Packages:  debianPackages,
		Files:     files,
		Customize: debianCustomize,
		Changes:   []string{`CMD ["/sbin/init"]`},
	}
}

// Keys and machine id are each host's own. Timers that take the package lock whenever they
// like, and consoles that a container lacks, are off.
const debianCustomize = `
chroot "$1" useradd --create-home --uid 1000 --shell /bin/bash ec2-user
rm -f "$1"/etc/ssh/ssh_host_* "$1"/var/lib/dbus/machine-id
: > "$1"/etc/machine-id
chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer console-getty.service getty@.service \
	systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service systemd-firstboot.service
`
