#!/bin/sh
# Starts a member, and beside it what brings it back to the others. Members know
# each other by addresses, and those are new when hosts have lost their power.
# Rendered by rmqprov.
rejoin() {
  while sleep 5; do
    case $(ask CLUSTER INFO) in
    *cluster_state:ok*) follow ;;
    *) meet ;;
    esac
  done
}

# When all were away at once, nobody can find anybody by the old addresses.
meet() {
  for name in ${join(" ", local.members)}; do
    address=$(getent hosts "$name" | awk '{ print $1; exit }')
    test -z "$address" || ask CLUSTER MEET "$address" 6379 > /dev/null
  done
}

# A replica that hears of its master's new address from a third member goes on
# asking at the old one (seen with 8.0), and could never take over from it.
follow() {
  asks=$(ask INFO replication | tr -d '\r' | sed -n 's/^master_host://p')
  test -n "$asks" || return 0
  master=$(ask CLUSTER NODES | awk '$3 ~ /myself/ { print $4 }')
  lives=$(ask CLUSTER NODES | awk -v id="$master" '$1 == id && $3 !~ /fail/ { sub(/:.*/, "", $2); print $2 }')
  test -z "$lives" || test "$lives" = "$asks" || ask CLUSTER REPLICATE "$master" > /dev/null
}

# The password goes by stdin: arguments can be read by others on the host.
ask() {
  { printf 'AUTH '; cat /run/secrets/password; printf '\n%s\n' "$*"; } | timeout 5 redis-cli 2>&1
}

rejoin &
exec docker-entrypoint.sh redis-server /usr/local/etc/redis/redis.conf --cluster-announce-hostname "$HOSTNAME"
