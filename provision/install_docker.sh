# Installs, enables and starts Docker from the system's own packages. Safe to
# run again at any point. Runs as root under any POSIX shell.
set -eu
LC_ALL=C; export LC_ALL
DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND

# First boot may still hold the package lock, write sources or reboot.
if command -v cloud-init >/dev/null 2>&1 && [ ! -e /var/lib/cloud/instance/boot-finished ]; then
  echo "waiting for cloud-init"
  timeout 300 cloud-init status --wait >/dev/null 2>&1 || true
fi

# Tries a command for as long as something else holds the package lock.
unlocked() {
  tries=0
  until out=$("$@" 2>&1); do
    case $out in
      *"Could not get lock"*|*"Unable to acquire the dpkg"*|*"Unable to lock directory"*|*"locked by another"*|*"Another app is currently holding"*|*"Existing lock"*|*"Waiting for process"*) ;;
      # The other run installed the same packages meanwhile.
      *"is already installed"*) ;;
      *) printf '%s\n' "$out" >&2; return 1 ;;
    esac
    tries=$((tries + 1))
    [ $tries -le 150 ] || { printf '%s\n' "$out" >&2; echo "the package lock was not free within 5 minutes" >&2; return 1; }
    [ $tries -gt 1 ] || echo "waiting for the package lock"
    sleep 2
  done
}

ID= ID_LIKE= VERSION_ID=
. /etc/os-release

docker_ce() { # the RHEL family has no Engine of its own: Docker's repository for it
  [ -e /etc/yum.repos.d/docker-ce.repo ] ||
    curl -fsSL -o /etc/yum.repos.d/docker-ce.repo "https://download.docker.com/linux/$1/docker-ce.repo"
  unlocked dnf -y -q install docker-ce docker-ce-cli containerd.io
}

# A power cut, or a run that was broken off, can end dpkg between unpacking a
# package and setting it up; apt-get refuses to work on that by itself.
half_done() {
  command -v dpkg-query >/dev/null 2>&1 && dpkg-query -W -f '${db:Status-Status}\n' | grep -qE '^(unpacked|half-.*)$'
}

if ! command -v dockerd >/dev/null 2>&1 || half_done; then
  ! half_done || unlocked dpkg --force-confold --configure -a
  echo "installing packages"
  case $ID in
    debian|ubuntu)
      unlocked apt-get -q -y -o Acquire::Languages=none update
      # docker-cli is a package of its own from Debian 13 on.
      packages="docker.io ca-certificates"
      [ -z "$(apt-cache pkgnames docker-cli)" ] || packages="$packages docker-cli"
      unlocked apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install $packages
      ;;
    amzn)
      if [ "$VERSION_ID" = 2 ]; then unlocked amazon-linux-extras install -y docker
      else unlocked dnf -y -q install docker; fi
      ;;
    fedora) unlocked dnf -y -q install moby-engine ;;
    rhel) docker_ce rhel ;;
    *) case " $ID $ID_LIKE " in
      *" rhel "*|*" centos "*|*" fedora "*) docker_ce centos ;;
      *" debian "*|*" ubuntu "*)
        unlocked apt-get -q -y update
        unlocked apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 install docker.io ca-certificates ;;
      *) echo "no way is known to install Docker on $ID $VERSION_ID" >&2; exit 1 ;;
    esac ;;
  esac
fi
echo "starting the Engine"
systemctl enable --now docker
