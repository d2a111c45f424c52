# $1: the layer's root; $2: the root of the base layer under it.
cp "$2/etc/passwd" "$2/etc/group" "$1/etc/"
echo "haproxy:x:99:99::/var/lib/haproxy:/usr/sbin/nologin" >> "$1/etc/passwd"
echo "haproxy:x:99:" >> "$1/etc/group"
mkdir -p "$1/usr/local/sbin" "$1/usr/local/etc/haproxy" "$1/var/lib/haproxy"
ln -s /usr/sbin/haproxy "$1/usr/local/sbin/haproxy"
mv "$1/etc/haproxy/errors" "$1/usr/local/etc/haproxy/errors"
rm -rf "$1/etc/haproxy" "$1/etc/init.d" "$1/etc/default" "$1/etc/logrotate.d" "$1/usr/lib/systemd" "$1/lib/systemd"
chown 99:99 "$1/var/lib/haproxy"
