# Consul: a cluster of servers, the place where RabbitMQ's members find each other.
#
# A playbook is this file and the files that it names. It is data: the engine
# knows no system by name, and a playbook of your own works the same way.

playbook "consul" {
  description = "Consul servers with a leader, gossip encryption and the web console"

  input "image" {
    type        = string
    default     = "hashicorp/consul:1.20"
    description = "any official image from 1.8 on"
  }

  input "servers" {
    type        = number
    default     = 3
    description = "number of servers, one a host; odd, because two of four can lose no more than one of three"

    validation {
      condition     = input.servers >= 1 && input.servers % 2 == 1
      error_message = "An even number of servers (${input.servers}) survives no more failures than one fewer: take 1, 3 or 5."
    }
  }

  input "network" {
    type        = string
    default     = null
    description = "overlay network; the inventory's first when not given"
  }

  input "datacenter" {
    type        = string
    default     = "dc1"
    description = "name of the datacenter, as Consul shows it"
  }

  input "gossip_key" {
    type        = string
    default     = null
    sensitive   = true
    description = "key of `consul keygen`; made once when not given. A running cluster keeps the key it was formed with: rotate it by `consul keyring`"
  }

  input "http_port" {
    type        = number
    default     = 8500
    description = "port of the HTTP API and the console, on every host that holds a server"
  }

  check "network" {
    condition     = length([for n in networks : n if n.subnet != "" && (input.network == null || n.name == input.network)]) > 0
    error_message = "Consul binds to its address in an overlay network and finds it by the subnet: the inventory needs a `network` block with a subnet${input.network == null ? "" : ", named ${input.network}"}."
  }

  locals {
    network = [for n in networks : n if n.subnet != "" && (input.network == null || n.name == input.network)][0]
  }

  # Gossip between the servers is encrypted with this key. It reaches the
  # containers as a file that Consul reads as one more piece of configuration,
  # so it is in no argument, no environment and no file of the hosts.
  secret "gossip" {
    value    = input.gossip_key
    generate = 32
    encoding = "base64"
    format   = "{\"encrypt\": \"%s\"}\n"
  }

  # consul-01, consul-02, …: fixed names, volumes and node ids. A slot's label is
  # on the host that holds it; the host's death frees the slot for another.
  slots "consul" { count = input.servers }

  config "consul.hcl" { file = "consul.hcl" }

  # All servers start at once: bootstrap_expect makes them wait for each other,
  # and only then is there an election. Later changes are one server at a time.
  stack {
    file = "stack.yml"
    roll = "consul"
    form = "together"
  }

  requires {
    memory = 128 # MiB
    disk   = 512 # MiB
  }

  # https://developer.hashicorp.com/consul/docs/upgrade/instructions: at most two
  # series at once, and the ways that have instructions of their own.
  versions {
    paths = merge({ for m in range(8, 22) : "1.${m}" => [for n in range(m + 1, min(m + 3, 23)) : "1.${n}"] }, {
      "1.21.7" = ["2.0"]
    })
  }

  port "console" {
    number = input.http_port
    from   = "operators"
    note   = "Consul's HTTP API and console"
  }

  console "consul" {
    port = input.http_port
    path = "/ui/"
  }

  # list-peers asks the leader: it fails while there is none. Then every server
  # must be a voter and be seen alive, else losing one more would lose them all.
  gate "leader" {
    exec   = ["consul", "operator", "raft", "list-peers"]
    on     = "one"
    within = "2m"
    note   = "the servers have elected a leader"
  }

  gate "peers" {
    exec = ["sh", "-c", <<-EOT
      down=$(echo "${missing}" | wc -w)
      set -- $({ consul operator raft list-peers; echo members; consul members -status=alive; } | awk '
        function host(at) { sub(/:[0-9]+$/, "", at); return at }
        $1 == "members" { members = 1 }
        !members && $5 == "true" { voters++; at[$1] = host($3) }
        members && $4 == "server" { alive++; moved += ($1 in at) && at[$1] != host($2) }
        END { print voters + 0, alive + 0, moved + 0 }')
      voters=$1 alive=$2 moved=$3
      echo "$voters of ${input.servers} servers vote, $alive are alive, $down known to be down; $moved vote at an address that is theirs no more"
      test "$voters" -le ${input.servers} && test $((voters + down)) -ge ${input.servers} && test $((alive + down)) -ge ${input.servers} && test "$moved" = 0
    EOT
    ]
    # A server that came back with another address meets others that take it for
    # alive at its old one, for seconds: they refuse the new one until they have
    # noticed, and hear of it at their next exchange, up to 30 s later. A join is one.
    # One that leads again at once votes at its old address for up to a minute; then it
    # puts that right by leaving the vote for a moment.
    # What consul.hcl says of the autopilot counts when a cluster is formed; one that
    # was formed with other settings is given these.
    mend = ["sh", "-c", <<-EOT
      consul join ${join(" ", [for s in slots.consul : s.name])}
      exec consul operator autopilot set-config -cleanup-dead-servers=false -last-contact-threshold=2s -server-stabilization-time=5s
    EOT
    ]
    # The one that came back is asked as well: it knows no leader before the leader
    # has found it, while the others still count it.
    on     = "each"
    within = "5m"
    note   = "all ${input.servers} servers vote and are alive"
  }

  # The command writes files only. /dev/shm is memory.
  backup "snapshot" {
    exec = ["sh", "-c", <<-EOT
      umask 077
      file=/dev/shm/rmqprov-$$.snap
      trap 'rm -f "$file"' EXIT
      consul snapshot save "$file" >&2 && cat "$file"
    EOT
    ]
    restore = ["sh", "-c", <<-EOT
      umask 077
      file=/dev/shm/rmqprov-$$.snap
      trap 'rm -f "$file"' EXIT
      cat > "$file" && consul snapshot restore "$file"
    EOT
    ]
    note = "the catalog, keys and values, sessions, ACLs"
  }

  # A server that will not come back stays a voter for three days, and counts
  # for every majority. Its successor has the same name and id but an empty
  # disk: it must join as a new voter, not vote twice as the old one.
  on "lost" {
    name = "forget"
    # Servers that were begun anew without it have never heard of it.
    exec = ["sh", "-c", <<-EOT
      members=$(consul members) || exit
      echo "$members" | grep -q "^${slot.name} " || exit 0
      exec consul force-leave -prune ${slot.name}
    EOT
    ]
    on     = "another"
    within = "1m"
    note   = "takes the dead server out of the raft and the member list"
  }

  # Asked before anything stops on the server's host. Of two servers none can be
  # missed, so that waiting would protect nothing.
  on "risk" {
    name = "majority"
    exec = ["sh", "-c", <<-EOT
      peers=$(consul operator raft list-peers) || exit
      voters=$(echo "$peers" | grep -cw true)
      alive=$(consul members -status=alive | grep -cw server)
      test "$voters" -le 2 || test $((2 * (alive - 1))) -gt "$voters" ||
        { echo "without ${slot.name}, $((alive - 1)) of $voters servers would be alive, which is no majority" >&2; exit 1; }
    EOT
    ]
    on     = "slot"
    within = "2m"
    note   = "the servers have a majority without this one"
  }

  # Where most servers are lost there is no leader, and nobody who could let one of
  # them be replaced. A server that finds peers.json at its start takes what stands
  # there for the set (Consul's manual, "Outage Recovery"); the address there need
  # not be the one that it has then, for servers find each other by their ids.
  on "recover" {
    name = "peers"
    exec = ["sh", "-c", <<-EOT
      consul operator raft list-peers > /dev/null 2>&1 && exit 0
      members=$(consul members -status=alive) || exit
      peers=$(echo "$members" | while read -r name at _ type _; do
        test "$type" = server || continue
        case " ${lost} " in *" $name "*) continue ;; esac
        case $name in
%{for s in slots.consul~}
        ${s.name}) id=${s.uuid} ;;
%{endfor~}
        *) continue ;;
        esac
        echo "{\"id\": \"$id\", \"address\": \"$${at%:*}:8300\", \"non_voter\": false}"
      done | paste -sd , -)
      test -n "$peers" || { echo "no server is alive" >&2; exit 1; }
      echo "[$peers]" > /consul/data/raft/peers.json
      { sleep 1; kill 1; } > /dev/null 2>&1 &
    EOT
    ]
    on     = "slot"
    within = "2m"
    note   = "the servers that are left are the set, and start anew: what they had not heard of is lost"
  }
}
