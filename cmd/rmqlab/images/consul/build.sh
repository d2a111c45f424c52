# $1: the layer's root; $2: the root of the base layer under it.
cp "$2/etc/passwd" "$2/etc/group" "$1/etc/"
echo "consul:x:100:1000::/home/consul:/sbin/nologin" >> "$1/etc/passwd"
echo "consul:x:1000:" >> "$1/etc/group"
rm -rf "$1/usr/lib/systemd" "$1/etc/consul.d" "$1/etc/init.d" "$1/etc/default"
# The official image is an Alpine: these are its Busybox tools that the base does not have.
for tool in ip nc nslookup ping vi wget; do
	ln -s busybox "$1/usr/bin/$tool"
done
mkdir -p "$1/consul/data" "$1/consul/config"
chown -R 100:1000 "$1/consul"
