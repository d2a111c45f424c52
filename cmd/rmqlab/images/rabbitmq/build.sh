# $1: the layer's root; $2: the root of the base layer under it.
cp "$2/etc/passwd" "$2/etc/group" "$1/etc/"
echo "rabbitmq:x:999:999::/var/lib/rabbitmq:/bin/sh" >> "$1/etc/passwd"
echo "rabbitmq:x:999:" >> "$1/etc/group"

# The official images have RabbitMQ in /opt/rabbitmq, first in PATH, and its plain scripts
# where Debian's packages put wrappers that insist on certain users.
lib=$(echo "$1"/usr/lib/rabbitmq/lib/rabbitmq_server-*)
mkdir -p "$1/opt" "$1/root"
ln -s "${lib#"$1"}" "$1/opt/rabbitmq"
ln -s /opt/rabbitmq/plugins "$1/plugins"
rm -rf "$1/usr/lib/rabbitmq/bin" "$1/usr/lib/rabbitmq/autocomplete" "$1/usr/sbin" "$1/usr/bin/rabbitmqadmin" \
	"$1/etc/init.d" "$1/etc/logrotate.d" "$1/etc/default" "$1/usr/lib/systemd" "$lib"/LICENSE* "$lib/INSTALL"
ln -s /var/lib/rabbitmq/.erlang.cookie "$1/root/.erlang.cookie"
chmod 700 "$1/root"

# The command line tools are one file under several names.
ctl=$lib/escript/rabbitmqctl
for tool in "$lib"/escript/*; do
	if [ "$tool" != "$ctl" ] && cmp -s "$tool" "$ctl"; then
		ln -f "$ctl" "$tool"
	fi
done

for dir in var/lib/rabbitmq var/log/rabbitmq etc/rabbitmq etc/rabbitmq/conf.d; do
	mkdir -p "$1/$dir"
	chmod 777 "$1/$dir"
done
printf 'loopback_users.guest = false\nlog.console = true\n' > "$1/etc/rabbitmq/conf.d/10-defaults.conf"
echo 'management_agent.disable_metrics_collector = true' \
	> "$1/etc/rabbitmq/conf.d/20-management_agent.disable_metrics_collector.conf"
echo '[rabbitmq_prometheus].' > "$1/etc/rabbitmq/enabled_plugins"
chown -R 999:999 "$1/var/lib/rabbitmq" "$1/var/log/rabbitmq" "$1/etc/rabbitmq"

# Compiled modules without documentation and debug information are half the size, and load
# faster. A chroot of hard links lets the packaged Erlang see its libraries; stripping writes
# the files in place, so the layer's own change.
chroot=$1.chroot
cp -al "$2" "$chroot"
cp -alf "$1/." "$chroot/"
mkdir -p "$chroot/dev"
mknod -m 666 "$chroot/dev/null" c 1 3 2>/dev/null || : > "$chroot/dev/null"
chroot "$chroot" erl -noinput -eval '
	Modules = filelib:wildcard("/usr/lib/erlang/lib/*/ebin/*.beam")
		++ filelib:wildcard("/usr/lib/rabbitmq/lib/*/plugins/*/ebin/*.beam"),
	{ok, _} = beam_lib:strip_files(Modules, ["Attr", "CInf", "LocT", "Meta"]),
	halt().' < /dev/null
rm -rf "$chroot"
