# Removes Docker with its packages, data and settings. Can be run again.
set -eu
systemctl disable --now docker.socket docker 2>/dev/null || true
if command -v apt-get >/dev/null 2>&1; then
  present=
  for p in docker.io docker-cli docker-ce docker-ce-cli; do
    if dpkg-query -W "$p" >/dev/null 2>&1; then present="$present $p"; fi
  done
  [ -z "$present" ] ||
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 purge $present
else
  present=
  for p in docker docker-ce docker-ce-cli moby-engine; do
    if rpm -q "$p" >/dev/null 2>&1; then present="$present $p"; fi
  done
  if [ -n "$present" ]; then
    if command -v dnf >/dev/null 2>&1; then dnf -y -q remove $present; else yum -y -q remove $present; fi
  fi
fi
# The data folder may be a mount of its own, which stays.
[ ! -d /var/lib/docker ] || find /var/lib/docker -mindepth 1 -delete
rm -rf /etc/docker/daemon.json
rmdir /etc/docker /var/lib/docker 2>/dev/null || true
