# Makes a root file system out of extracted packages, whose own scripts have not run.
cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"
cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"
printf '%s\n' 'passwd: files' 'group: files' 'shadow: files' 'hosts: files dns' 'services: files' 'protocols: files' \
	> "$1/etc/nsswitch.conf"
cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1/etc/ssl/certs/ca-certificates.crt"
mkdir -p "$1/usr/local/bin" "$1/usr/local/sbin" "$1/usr/local/etc" "$1/opt"
[ -e "$1/usr/bin/sh" ] || ln -s dash "$1/usr/bin/sh" # Debian 12's dash does it in a package script
[ -e "$1/usr/bin/awk" ] || ln -s mawk "$1/usr/bin/awk"
[ -e "$1/usr/bin/which" ] || ln -s which.debianutils "$1/usr/bin/which"
printf 'nobody:*:::::::\nroot:*:::::::\n' > "$1/etc/shadow"
chmod 600 "$1/etc/shadow"
chmod 1777 "$1/tmp" "$1/var/tmp"

# What nothing in these images reads.
rm -rf "$1"/usr/lib/*-linux-gnu/gconv "$1"/usr/lib/*-linux-gnu/libmvec.so* \
	"$1"/usr/lib/*-linux-gnu/libsqlite3.so* "$1"/usr/lib/*-linux-gnu/engines-3 \
	"$1/usr/sbin/ldconfig" "$1/usr/share/gcc" "$1/usr/share/gdb" "$1/usr/share/ca-certificates/mozilla" \
	"$1/usr/share/common-licenses" "$1/usr/share/menu" "$1/etc/cron.daily" "$1/etc/init.d"
