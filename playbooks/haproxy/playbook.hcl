# HAProxy on every host: clients reach any host's own port, and land on a member
# that works. Nothing is shared between hosts, so nothing but the host itself can
# take a host's entry away.

playbook "haproxy" {
  description = "HAProxy on every host: AMQP and the management console of RabbitMQ, statistics"

  input "image" {
    type        = string
    default     = "haproxy:3.0"
    description = "any official image from 2.4 on"
  }

  input "members" {
    type        = number
    default     = 3
    description = "number of RabbitMQ's members, rabbitmq-01 and so on"
  }

  input "stats_user" {
    type        = string
    default     = "admin"
    description = "who may see the statistics"

    validation {
      condition     = can(regex("^[A-Za-z0-9_.@-]+$", input.stats_user))
      error_message = "Letters, digits and _ . @ - only."
    }
  }

  input "stats_password" {
    type        = string
    default     = null
    sensitive   = true
    description = "made once when null or empty; see `rmqprov secret`"

    validation {
      condition     = input.stats_password == null || input.stats_password == "" || can(regex("^[^']+$", input.stats_password))
      error_message = "No ' in it: HAProxy's configuration would end the value there."
    }
  }

  input "max_connections" {
    type        = number
    default     = 4000
    description = "connections of clients a host; each needs two file handles"
  }

  input "network" {
    type        = string
    default     = null
    description = "overlay network; the inventory's first when not given"
  }

  check "network" {
    condition     = length([for n in networks : n if input.network == null || n.name == input.network]) > 0
    error_message = "HAProxy reaches the members over an overlay network: the inventory needs a `network` block${input.network == null ? "" : " named ${input.network}"}."
  }

  locals {
    network = [for n in networks : n.name if input.network == null || n.name == input.network][0]
    members = [for i in range(1, input.members + 1) : format("rabbitmq-%02d", i)]
  }

  # The password is in a second configuration file, which is a secret; HAProxy
  # reads both as one.
  secret "stats_password" {
    value    = input.stats_password
    generate = 32
    format   = "userlist stats\n  user ${input.stats_user} insecure-password '%s'\n"
  }

  config "haproxy.cfg" { file = "haproxy.cfg" }

  stack { file = "stack.yml" }

  requires {
    memory = 64  # MiB
    disk   = 256 # MiB
  }

  port "amqp" {
    number = 5672
    from   = "clients"
    note   = "AMQP 0-9-1 and 1.0"
  }

  port "management" {
    number = 15672
    from   = "operators"
    note   = "RabbitMQ's management console and HTTP API"
  }

  port "stats" {
    number = 1936
    from   = "operators"
    note   = "HAProxy's statistics, and /metrics for Prometheus"
  }

  console "haproxy" {
    port   = 1936
    user   = input.stats_user
    secret = "stats_password"
  }

  # On each host: the configuration is valid, and at least one member is up. A
  # shell's own sockets, because the image has no curl.
  gate "backends" {
    exec = ["bash", "-c", <<-EOT
      exec 3<> /dev/tcp/127.0.0.1/5672 || exit 1
      printf 'AMQP\0\0\x09\x01' >&3
      read -rn 1 -t 5 -u 3 answer && echo "a member answers"
    EOT
    ]
    on     = "each"
    within = "2m"
    note   = "a member answers AMQP through every host"
  }
}
