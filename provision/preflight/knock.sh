# Knocks at the ports of a host, and says what came of it. Arguments: the mark
# that the host's listener knows, this host's name, the address to knock at, the
# size of the packets that must arrive whole, and ports as 7946/udp.
mark=$1 me=$2 address=$3 packet=$4
shift 4

# Opening a connection has no time limit in bash, so another process does it. It
# is forked only: on a host with little to compute with, starting programs could
# take as long as the limit.
tcp() {
  local opener said
  exec 4< <(exec 2>&1; echo "$BASHPID"; exec 3<>"/dev/tcp/$address/${1%/*}" && echo open)
  read -r -u 4 opener
  if read -r -t 3 -u 4 said; then
    case $said in
    open) echo "open $1" ;;
    *) echo "refused $1 ${said##*: }" ;;
    esac
  else
    kill "$opener"
    echo "silent $1"
  fi
} 2>/dev/null

# Linux forbids routers to split a datagram that fits its interface, so the
# large one arrives only where the whole path carries it. It is one write of dd,
# for bash would cut it.
udp() {
  local headers=28 fill
  case $address in *:*) headers=48 ;; esac
  fill=$((packet - headers - ${#mark} - ${#me} - 3))
  exec 3>"/dev/udp/$address/${1%/*}" || return
  for _ in 1 2 3; do
    printf '%s %s small\n' "$mark" "$me" >&3
    printf '%s %s %-*s\n' "$mark" "$me" "$fill" whole | dd bs="$packet" iflag=fullblock status=none >&3
    sleep 0.1
  done
} 2>/dev/null

echo rmqprov-preflight-begin
for port; do
  case $port in
  */udp) udp "$port" & ;;
  *) tcp "$port" & ;;
  esac
done
wait

# What this host knows of the path: its own interface, and what a router on the
# way has reported.
route=$(ip -o route get "$address" 2>/dev/null)
case $route in *' dev '*)
  device=${route#* dev }
  echo "link $(cat "/sys/class/net/${device%% *}/mtu")"
  ;;
esac
case $route in *' mtu '*)
  mtu=${route#* mtu }
  mtu=${mtu#lock }
  echo "link ${mtu%% *}"
  ;;
esac
echo rmqprov-preflight-end
