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
    case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) in ''|not-installed) ;; *) present="$present $p" ;; esac
  done
  # With them go those that came with them and that nothing else needs, such as
  # containerd; not those that nothing needed before.
  going() { apt-get -s "$@" | sed -n 's/^\(Remv\|Purg\) \([^ ]*\) .*/\2/p'; }
  if [ -n "$present" ]; then
    unneeded=" $(going autoremove | tr '\n' ' ')"
    all=
    for p in $(going --auto-remove purge $present); do
      case $unneeded in *" $p "*) ;; *) all="$all $p" ;; esac
    done
    quietly apt-get -q -y -o DPkg::Lock::Timeout=300 purge $all
  fi
else
  present=
  for p in docker docker-ce docker-ce-cli moby-engine; do
    if rpm -q "$p" >/dev/null 2>&1; then present="$present $p"; fi
  done
  if [ -n "$present" ]; then
    if command -v dnf >/dev/null 2>&1; then quietly dnf -y -q remove $present; else quietly yum -y -q remove $present; fi
  fi
fi
# What Docker kept with containerd, where that went with it.
if ! command -v containerd >/dev/null 2>&1 && [ -d /var/lib/containerd ]; then
  find /var/lib/containerd -mindepth 1 -delete
  rmdir /var/lib/containerd 2>/dev/null || true
fi
