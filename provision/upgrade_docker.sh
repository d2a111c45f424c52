# Brings Docker to the newest version that the host's own packages have, and
# restarts it. Can be run again.
set -eu
LC_ALL=C; export LC_ALL
DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND

# What a package manager says is shown only where it fails: one that writes to a
# connection that is lost would be ended in the middle of its work.
quietly() { out=$("$@" 2>&1) || { printf '%s\n' "$out" >&2; return 1; }; }

before=$(dockerd --version)
all="docker docker.io docker-cli docker-ce docker-ce-cli moby-engine containerd containerd.io runc"
present=
if command -v apt-get >/dev/null 2>&1; then
  for p in $all; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" != installed ] || present="$present $p"
  done
  quietly apt-get -q -y -o Acquire::Languages=none -o DPkg::Lock::Timeout=300 update
  quietly apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install --only-upgrade $present
else
  for p in $all; do
    ! rpm -q "$p" >/dev/null 2>&1 || present="$present $p"
  done
  if command -v dnf >/dev/null 2>&1; then quietly dnf -y -q upgrade $present; else quietly yum -y -q update $present; fi
fi
after=$(dockerd --version)
if [ "$before" = "$after" ]; then echo "its packages have nothing newer than $after"; else echo "from $before to $after"; fi
systemctl restart docker
