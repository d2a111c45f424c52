# Removes Docker with its packages, data and settings. Can be run again: the
# packages, by which it is seen that Docker is there, go last.
set -eu
LC_ALL=C; export LC_ALL
DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND

# What a package manager says is shown only where it fails: one that writes to a
# connection that is lost would be ended in the middle of its work.
quietly() { out=$("$@" 2>&1) || { printf '%s\n' "$out" >&2; return 1; }; }

systemctl disable --now docker.socket docker 2>/dev/null || true
# The data folder may be a mount of its own, which stays.
[ ! -d /var/lib/docker ] || find /var/lib/docker -mindepth 1 -delete
rm -rf /etc/docker/daemon.json
rmdir /etc/docker /var/lib/docker 2>/dev/null || true

if command -v apt-get >/dev/null 2>&1; then
  present=
  for p in docker.io docker-cli docker-ce docker-ce-cli; do
    if dpkg-query -W "$p" >/dev/null 2>&1; then present="$present $p"; fi
  done
  [ -z "$present" ] || quietly apt-get -q -y -o DPkg::Lock::Timeout=300 purge $present
else
  present=
  for p in docker docker-ce docker-ce-cli moby-engine; do
    if rpm -q "$p" >/dev/null 2>&1; then present="$present $p"; fi
  done
  if [ -n "$present" ]; then
    if command -v dnf >/dev/null 2>&1; then quietly dnf -y -q remove $present; else quietly yum -y -q remove $present; fi
  fi
fi
