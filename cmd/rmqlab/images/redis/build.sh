# $1: the layer's root; $2: the root of the base layer under it.
cp "$2/etc/passwd" "$2/etc/group" "$1/etc/"
echo "redis:x:999:999::/home/redis:/bin/sh" >> "$1/etc/passwd"
echo "redis:x:999:" >> "$1/etc/group"
rm -rf "$1/etc/redis" "$1/etc/init.d" "$1/etc/default" "$1/etc/logrotate.d" "$1/usr/lib/systemd"
mkdir -p "$1/data"
chown 999:999 "$1/data"
