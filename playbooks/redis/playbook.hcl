# Redis: a cluster of shards, each with a master and a replica on another host.
#
# Clients reach it over the overlay network: attach them to it, and give them
# any member's name and port 6379. Redis sends each client to the member that
# holds its key, by name; that cannot work through a load balancer.

playbook "redis" {
  description = "Redis Cluster: masters and a replica of each on another host, secured by a password"

  input "image" {
    type        = string
    default     = "redis:8.0"
    description = "any official image from 7.0 on, which is the first to give clients names instead of addresses"
  }

  input "shards" {
    type        = number
    default     = 3
    description = "number of masters, one a host; each has one replica"

    validation {
      condition     = input.shards >= 3
      error_message = "Redis Cluster needs three masters or more: a majority of them decides that one is dead."
    }
  }

  input "password" {
    type        = string
    default     = null
    sensitive   = true
    description = "made once when null or empty; see `rmqprov secret`"

    validation {
      condition     = input.password == null || input.password == "" || can(regex("^[^\\s#'\"\\\\$`%]+$", input.password))
      error_message = "No spaces, quotes, backslashes, #, % or $: Redis' configuration file would end the value there."
    }
  }

  input "memory" {
    type        = number
    default     = null
    description = "MiB of data a member may hold, after which writes are refused; null: no bound"
  }

  input "network" {
    type        = string
    default     = null
    description = "overlay network; the inventory's first when not given"
  }

  check "network" {
    condition     = length([for n in networks : n if input.network == null || n.name == input.network]) > 0
    error_message = "The members and their clients talk over an overlay network: the inventory needs a `network` block${input.network == null ? "" : " named ${input.network}"}."
  }

  locals {
    network = [for n in networks : n.name if input.network == null || n.name == input.network][0]

    # redis-a-01 and redis-b-02 hold shard 1: as members take the hosts in the
    # same order in both sets, the two of a shard are never on one host.
    shards = [for s in slots.redis-a : {
      one   = s.name
      other = slots.redis-b[s.index % input.shards].name
      first = floor(16384 * (s.index - 1) / input.shards)
      last  = floor(16384 * s.index / input.shards) - 1
    }]
    members = [for s in concat(slots.redis-a, slots.redis-b) : s.name]

    # What the commands below share. The password goes to redis-cli by stdin:
    # arguments and environment can be read by others on the host.
    shell = <<-EOT
      members="${join(" ", local.members)}"
      ask() {
        host=$1
        shift
        { printf 'AUTH '; cat /run/secrets/password; printf '\n%s\n' "$*"; } | timeout 5 redis-cli -h "$host" 2>&1 | tail -n +2 | tr -d '\r'
      }
      address() { getent hosts "$1" | awk '{ print $1; exit }'; }
      info() { ask "$1" INFO replication | sed -n "s/^$2://p"; }
      count() { ask "$1" CLUSTER INFO | sed -n "s/^$2://p"; }
      id() { ask "$1" CLUSTER MYID; }
      owns() { ask "$1" CLUSTER NODES | awk '$3 ~ /myself/ && $3 !~ /slave/ && NF > 8' | grep -q .; }
      follows() { test "$(ask "$1" CLUSTER NODES | awk '$3 ~ /myself/ { print $4 }')" = "$(id "$2")"; }
    EOT
  }

  secret "password" {
    value    = input.password
    generate = 32
  }

  # The same value as two lines of configuration: what clients must give, and
  # what members give each other.
  secret "requirepass" {
    of     = "password"
    format = "requirepass %s\n"
  }

  secret "masterauth" {
    of     = "password"
    format = "masterauth %s\n"
  }

  # A newer version reads the data of each older one, an older one not that of a
  # newer: any way forward, and none back.
  versions {
    paths = {
      "7.0" = ["7.2", "7.4", "8.0", "8.2", "8.4"]
      "7.2" = ["7.4", "8.0", "8.2", "8.4"]
      "7.4" = ["8.0", "8.2", "8.4"]
      "8.0" = ["8.2", "8.4"]
      "8.2" = ["8.4"]
    }
  }

  requires {
    memory = 256 # MiB; a host may have two members
    disk   = 512 # MiB
  }

  slots "redis-a" { count = input.shards }
  slots "redis-b" { count = input.shards }

  config "redis.conf" { file = "redis.conf" }
  config "start.sh" { file = "start.sh" }

  stack {
    file = "stack.yml"
    form = "together"
  }

  gate "answers" {
    exec = ["sh", "-c", <<-EOT
      ${local.shell}
      answer=$(ask 127.0.0.1 PING)
      echo "$answer"
      test "$answer" = PONG
    EOT
    ]
    on     = "slot"
    within = "2m"
    note   = "the member answers who knows the password"
  }

  # Every member is asked, since each has a view of its own: all keys have an
  # owner, and each shard has one master and one replica that follows it.
  #
  # Mending is also how the cluster forms. It is done in steps that all may be
  # done again: members are told of each other by their present addresses, for
  # all of them may be new after a power cut; keys without an owner are given
  # to their shard, while there is no key anywhere that could be lost by it;
  # and a member without keys follows the one that has its shard's.
  gate "formed" {
    exec = ["sh", "-c", <<-EOT
      ${local.shell}
      for m in $members; do
        test "$(count $m cluster_state)" = ok || { echo "$m: the cluster is not whole: $(ask $m CLUSTER INFO | head -n 3 | tr '\n' ' ')"; exit 1; }
        test "$(count $m cluster_slots_ok)" = 16384 || { echo "$m: $(count $m cluster_slots_ok) of 16384 key slots are held"; exit 1; }
        test "$(count $m cluster_known_nodes)" = ${length(local.members)} || { echo "$m knows $(count $m cluster_known_nodes) members of ${length(local.members)}"; exit 1; }
      done
      shard() {
        master=$1 replica=$2
        owns "$master" || { master=$2 replica=$1; }
        owns "$master" || { echo "neither $1 nor $2 holds the keys of their shard"; exit 1; }
        follows "$replica" "$master" || { echo "$replica does not follow $master"; exit 1; }
        test "$(info "$replica" master_link_status)" = up || { echo "$replica is not in sync with $master yet"; exit 1; }
      }
      %{for s in local.shards~}
      shard ${s.one} ${s.other}
      %{endfor~}
      echo "all keys are held, each by a master and a replica"
    EOT
    ]
    mend = ["sh", "-c", <<-EOT
      ${local.shell}
      for m in $members; do
        at=$(address $m)
        test -n "$at" || { echo "$m has no address: it does not run"; exit 1; }
        ask 127.0.0.1 CLUSTER MEET "$at" 6379 > /dev/null
      done
      for i in 1 2 3 4 5 6 7 8 9 10; do
        strangers=
        for m in $members; do test "$(count $m cluster_known_nodes)" = ${length(local.members)} || strangers="$strangers $m"; done
        test -z "$strangers" && break
        sleep 0.5
      done
      test -z "$strangers" || { echo "these do not know all others yet:$strangers"; exit 1; }
      if test "$(count 127.0.0.1 cluster_slots_assigned)" != 16384; then
        for m in $members; do
          keys=$(ask $m DBSIZE)
          test "$keys" = 0 || { echo "a shard has lost both its members, and $m holds $keys keys: restore the lost ones, or give the slots away yourself (redis-cli --cluster fix)"; exit 1; }
        done
        %{for s in local.shards~}
        ask ${s.one} CLUSTER ADDSLOTSRANGE ${s.first} ${s.last}
        %{endfor~}
        sleep 1
      fi
      shard() {
        master=$1 replica=$2
        owns "$master" || { master=$2 replica=$1; }
        owns "$master" || return 0
        owns "$replica" && return 0
        follows "$replica" "$master" || ask "$replica" CLUSTER REPLICATE "$(id "$master")"
      }
      %{for s in local.shards~}
      shard ${s.one} ${s.other}
      %{endfor~}
    EOT
    ]
    on     = "one"
    within = "5m"
    note   = "all keys are held, each by a master and a replica"
  }

  # A master hands its keys over before it stops: its replica stops the clients
  # for the moment of the change, so that no acknowledged write is left behind.
  before "stop" {
    name = "hand-over"
    exec = ["sh", "-c", <<-EOT
      ${local.shell}
      owns 127.0.0.1 || exit 0
      me=$(id 127.0.0.1)
      for m in $members; do
        test "$(id "$m")" != "$me" && follows "$m" 127.0.0.1 || continue
        ask "$m" CLUSTER FAILOVER
        for i in 1 2 3 4 5 6 7 8 9 10; do
          owns "$m" && ! owns 127.0.0.1 && exit 0
          sleep 1
        done
        echo "$m did not take over"
        exit 1
      done
      echo "no replica follows this master"
      exit 1
    EOT
    ]
    on     = "slot"
    within = "1m"
    note   = "the replica becomes the master first"
  }

  # Masters back where they began: one on each host. Else a host might hold two
  # of three, and the majority would be lost with it.
  after "change" {
    name = "spread"
    exec = ["sh", "-c", <<-EOT
      ${local.shell}
      for m in ${join(" ", [for s in local.shards : s.one])}; do
        owns $m && continue
        ask $m CLUSTER FAILOVER
        for i in 1 2 3 4 5 6 7 8 9 10; do
          owns $m && break
          sleep 1
        done
        owns $m || { echo "$m did not become the master"; exit 1; }
      done
    EOT
    ]
    on     = "one"
    within = "2m"
    note   = "each host holds one master again"
  }

  # A dead member is forgotten by its identity, for its successor has the same
  # name and a new one. While the keys are still in its hands, its replica must
  # take them over first.
  on "lost" {
    name = "forget"
    exec = ["sh", "-c", <<-EOT
      ${local.shell}
      dead() { ask 127.0.0.1 CLUSTER NODES | awk '{ split($2, at, ",") } at[2] == "${slot.name}" && $3 ~ /fail/'; }
      keys() { dead | awk '$3 !~ /slave/ && NF > 8' | grep -q .; }
      for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        keys || break
        sleep 1
      done
      ! keys || { echo "${slot.name} is dead and nobody has taken its keys over"; exit 1; }
      for gone in $(dead | awk '{ print $1 }'); do
        for m in $members; do
          test "$m" = "${slot.name}" || ask "$m" CLUSTER FORGET "$gone"
        done
      done
    EOT
    ]
    on     = "another"
    within = "1m"
    note   = "the others no longer count on the lost member"
  }
}
