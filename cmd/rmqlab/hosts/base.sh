# Makes a host of a distribution's bare container image: what its cloud image has, and no more.
if command -v dnf >/dev/null; then
	dnf install -y systemd openssh-server sudo iproute procps-ng util-linux shadow-utils dbus
	dnf clean all
elif command -v yum >/dev/null; then
	yum install -y systemd openssh-server sudo iproute procps-ng util-linux shadow-utils dbus
	yum clean all
elif command -v apt-get >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update
	apt-get install -y --no-install-recommends systemd systemd-sysv openssh-server sudo iproute2 procps ca-certificates dbus
	rm -rf /var/lib/apt/lists/*
else
	echo "this image has none of dnf, yum, apt-get" >&2
	exit 1
fi
other=$(getent passwd 1000 | cut -d: -f1)
[ -z "$other" ] || [ "$other" = ec2-user ] || userdel -r "$other"
id ec2-user >/dev/null 2>&1 || useradd -m -u 1000 -s /bin/bash ec2-user
echo 'ec2-user ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/90-cloud
chmod 440 /etc/sudoers.d/90-cloud
systemctl enable sshd.service 2>/dev/null || systemctl enable ssh.service
systemctl mask getty@.service console-getty.service systemd-firstboot.service
rm -f /etc/ssh/ssh_host_* /run/nologin
: >/etc/machine-id
