#!/bin/sh
# PID 1 of a lab host until systemd takes over: makes of a container what systemd and Docker
# expect of a machine.

# Docker mounts these read-only. Bind remounts, because a plain one answers "busy".
for dir in /sys /sys/fs/cgroup /sys/fs/cgroup/*; do
	mountpoint -q "$dir" && mount -o remount,bind,rw "$dir"
done

# Without it, an inner Docker on a machine with AppArmor cannot load its profile.
if [ -d /sys/kernel/security ] && ! mountpoint -q /sys/kernel/security; then
	mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
fi

# The engine's own resolver lives on this host's loopback, where containers cannot reach it:
# a machine names a real server. An empty file means that there is none to name.
if [ -s /usr/lib/rmqlab/resolv.conf ]; then
	umount /etc/resolv.conf 2>/dev/null
	cp /usr/lib/rmqlab/resolv.conf /etc/resolv.conf
fi

# Newer systemd refuses the cgroup v1 that an older machine has, unless told twice.
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
	export SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
	export SYSTEMD_PROC_CMDLINE="systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
fi

for init in /sbin/init /usr/lib/systemd/systemd; do
	[ -x "$init" ] && exec "$init"
done
echo "this image has no systemd" >&2
exit 1
