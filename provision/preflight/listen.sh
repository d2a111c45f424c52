# Listens on ports for as long as its input lives, then says what arrived there.
# Arguments: a mark that what is meant for it begins with, the address to listen
# on (0.0.0.0 or [::]), and ports as 7946/udp.
#
# systemd holds the sockets: it is on every host that Docker can be installed
# on, which no other program is that listens on UDP. The units exist under /run
# only while this runs.
mark=$1 any=$2
shift 2
units=/run/systemd/system name=rmqprov-preflight-$mark dir=/run/rmqprov-preflight-$mark
of() { echo "$name-${1%/*}-${1#*/}"; }

sockets='' services=''
for port; do
  sockets="$sockets $(of "$port").socket" services="$services $(of "$port").service"
done
finish() {
  trap '' EXIT HUP INT TERM
  systemctl stop $sockets $services
  (cd $units && rm -f $sockets $services)
  systemctl reset-failed $sockets $services
  rm -rf "$dir"
} 2>/dev/null
trap '' PIPE # whoever asked may be gone: what is said to him then must not end this before it has let go of the ports
trap finish EXIT
trap 'exit 143' HUP INT TERM

umask 077
mkdir -p $units "$dir"
for port; do
  case $port in
  */udp) listen=ListenDatagram run="/bin/sh -c 'exec cat >>$dir/${port%/*}'" input=socket ;;
  *) listen=ListenStream run='/bin/sleep 300' input=null ;; # the kernel answers; nobody needs to accept
  esac
  cat >"$units/$(of "$port").socket" <<-END
	[Unit]
	Description=rmqprov tries whether $port can be reached
	[Socket]
	$listen=$any:${port%/*}
	ReceiveBuffer=4M
	END
  cat >"$units/$(of "$port").service" <<-END
	[Unit]
	Description=rmqprov tries whether $port can be reached
	[Service]
	ExecStart=$run
	StandardInput=$input
	StandardOutput=null
	LimitFSIZE=4194304
	END
done
systemctl start $sockets 2>/dev/null
echo ready

timeout 200 cat >/dev/null # until those who knock are done, or this program is gone

# What was sent last is still on its way, or waits for a busy host to read it.
drained() {
  for port; do
    case $port in */udp) ss -Hlnu "sport = :${port%/*}" | while read -r _ queued _; do [ "$queued" = 0 ] || exit 1; done || return ;; esac
  done
}
sleep 0.2
for _ in 1 2 3 4 5 6 7 8 9 10; do
  drained "$@" && break
  sleep 1
done

echo rmqprov-preflight-begin
for port; do
  if systemctl -q is-active "$(of "$port").socket"; then echo "listened $port"
  else
    who=$(ss -Hlnp "--${port#*/}" "sport = :${port%/*}" | sed -n 's/.*users:(("\([^"]*\)".*/\1/p;q')
    echo "taken $port $who"
  fi
  case $port in */udp) ;; *) continue ;; esac
  sed -n "s/^$mark \([^ ]* [^ ]*\) *\$/arrived ${port%/*}\/udp \1/p" "$dir/${port%/*}" 2>/dev/null | sort -u
done
sshd -T -C "user=${SUDO_USER:-root},host=localhost,addr=127.0.0.1" 2>/dev/null | sed -n 's/^\(maxsessions\|maxstartups\) /sshd &/p' | cut -d' ' -f1-3

# An instance of EC2 can be asked for the ranges of its VPC. The token is no
# word of a command line.
imds=http://169.254.169.254/latest
ask() { printf 'header = "X-aws-ec2-metadata-token: %s"\n' "$token" | curl -sf -m 2 -K - "$imds/meta-data/$1"; }
case $(cat /sys/class/dmi/id/sys_vendor /sys/hypervisor/uuid 2>/dev/null) in
*'Amazon EC2'* | ec2*)
  token=$(curl -sf -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $imds/api/token)
  mac=$(ask mac) && ask "network/interfaces/macs/$mac/vpc-ipv4-cidr-blocks" | sed 's/^/vpc /;$a\'
  ;;
esac
echo rmqprov-preflight-end
