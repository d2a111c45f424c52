# Facts of one host, a line each: KEY<TAB>VALUE. Arguments: paths to describe;
# the content of a path is sent only where it ends in daemon.json or is that of the last run.
LC_ALL=C; export LC_ALL
say() { printf '%s\t%s\n' "$1" "$2"; }
echo rmqprov-facts-begin

(
  ID= VERSION_ID= ID_LIKE= PRETTY_NAME=
  [ -r /etc/os-release ] && . /etc/os-release
  say os.id "$ID"; say os.version "$VERSION_ID"; say os.like "$ID_LIKE"; say os.pretty "$PRETTY_NAME"
)
uname -nm | while read -r name machine; do say hostname "$name"; say arch "$machine"; done
say clock "$(date +%s)"

if command -v cloud-init >/dev/null 2>&1; then
  if [ -e /run/cloud-init/result.json ] || [ -e /var/lib/cloud/instance/boot-finished ]; then say cloud-init done
  else say cloud-init running; fi
fi

if command -v ip >/dev/null 2>&1; then
  # Docker's own bridges are not the host's networks.
  ip -o addr show scope global 2>/dev/null | while read -r _ device family address _; do
    case $device in docker*|br-*|veth*) continue ;; esac
    case $family in inet|inet6) say address "$address" ;; esac
  done
  ip -o route get 192.0.2.1 2>/dev/null | while read -r line; do
    case $line in *' src '*) line=${line#* src }; say default "${line%% *}" ;; esac
  done
fi
while read -r word address _; do
  [ "$word" = nameserver ] && say resolver "${address%%%*}"
done </etc/resolv.conf 2>/dev/null

while read -r word kib _; do
  [ "$word" = MemTotal: ] && say memory "$kib"
done </proc/meminfo
df -Pk /var/lib 2>/dev/null | while read -r _ _ _ free _; do
  case $free in *[!0-9]*|'') ;; *) say disk "$free" ;; esac
done

# The properties come in systemd's own order, so they are asked for by name.
load= file= active=
eval "$(systemctl show docker.service -p LoadState -p UnitFileState -p ActiveState 2>/dev/null |
  sed -n 's/^LoadState=\([a-z-]*\)$/load=\1/p;s/^UnitFileState=\([a-z-]*\)$/file=\1/p;s/^ActiveState=\([a-z-]*\)$/active=\1/p')"
# What dpkg has unpacked and not set up is not installed: it lacks its group, say.
if [ "$load" = loaded ] && [ "$active" != active ] && command -v dpkg-query >/dev/null 2>&1 &&
  dpkg-query -W -f '${db:Status-Status}\n' | grep -qE '^(unpacked|half-.*)$'; then load=half-installed; fi
say docker "${load:-none} ${file:-none} ${active:-none}"

# Which node of a swarm this host is stands in a certificate: an Engine that is
# stopped cannot be asked.
root=$(sed -n 's/.*"data-root" *: *"\([^"]*\)".*/\1/p' /etc/docker/daemon.json 2>/dev/null)
certificate=${root:-/var/lib/docker}/swarm/certificates/swarm-node.crt
[ ! -r "$certificate" ] || say swarm-node "$(base64 -w 0 <"$certificate")"

# One program says it of all files: what a host needs to start one is most of what this script costs.
asked=$#
for path; do
  [ ! -f "$path" ] || set -- "$@" "$path"
done
shift "$asked"
if [ $# -gt 0 ]; then
  sha256sum -- "$@" 2>/dev/null | while read -r sum path; do say sum "$sum $path"; done
  stat -c 'file	%a %U %G %n' -- "$@" 2>/dev/null
fi
for path; do
  case $path in *daemon.json|/var/lib/rmqprov/*/last.json) say content "$(base64 -w 0 <"$path") $path" ;; esac
done
echo rmqprov-facts-end
