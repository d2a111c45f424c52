# Prometheus with the alerts that a RabbitMQ cluster needs, an exporter on every
# host, and Grafana with dashboards. All is reached over the overlay network; no
# port of a member is opened for it.

playbook "monitoring" {
  description = "Prometheus and Grafana with dashboards and alerts for RabbitMQ, HAProxy, Consul and the hosts"

  input "prometheus_image" {
    type        = string
    default     = "prom/prometheus:v3.5.0"
    description = "any official image from 2.42 on"
  }

  input "exporter_image" {
    type        = string
    default     = "prom/node-exporter:v1.9.1"
    description = "any official image from 1.5 on"
  }

  input "grafana" {
    type        = bool
    default     = true
    description = "false: Prometheus alone"
  }

  input "grafana_image" {
    type        = string
    default     = "grafana/grafana:12.0.2"
    description = "any official image from 10 on"
  }

  input "grafana_password" {
    type        = string
    default     = null
    sensitive   = true
    description = "of Grafana's account admin; made once when null or empty"
  }

  input "members" {
    type        = number
    default     = 3
    description = "number of RabbitMQ's members, rabbitmq-01 and so on; 0: none are watched"
  }

  input "servers" {
    type        = number
    default     = 3
    description = "number of Consul's servers, consul-01 and so on; 0: none are watched"
  }

  input "haproxy" {
    type        = bool
    default     = true
    description = "watch the HAProxy of every host"
  }

  input "alertmanagers" {
    type        = list(string)
    default     = []
    description = "HOST:PORT of Alertmanagers that alerts go to; none: they are seen in Prometheus"
  }

  input "retention" {
    type        = string
    default     = "15d"
    description = "how long Prometheus keeps what it measured"

    validation {
      condition     = can(regex("^[0-9]+(h|d|w|y)$", input.retention))
      error_message = "Write a number and h, d, w or y, such as \"15d\"."
    }
  }

  input "network" {
    type        = string
    default     = null
    description = "overlay network; the inventory's first when not given"
  }

  check "network" {
    condition     = length([for n in networks : n if input.network == null || n.name == input.network]) > 0
    error_message = "Prometheus asks over an overlay network: the inventory needs a `network` block${input.network == null ? "" : " named ${input.network}"}."
  }

  locals {
    network    = [for n in networks : n.name if input.network == null || n.name == input.network][0]
    members    = [for i in range(1, input.members + 1) : format("rabbitmq-%02d:15692", i)]
    servers    = [for i in range(1, input.servers + 1) : format("consul-%02d:8500", i)]
    dashboards = ["rabbitmq", "haproxy", "consul", "node"]
  }

  secret "grafana_password" {
    value    = input.grafana_password
    generate = 32
  }

  config "prometheus.yml" { file = "prometheus.yml" }
  config "alerts.yml" { file = "alerts.yml" }
  config "datasource.yml" { file = "datasource.yml" }
  config "dashboards.yml" { file = "dashboards.yml" }
  config "rabbitmq.json" { file = "rabbitmq.json" }
  config "haproxy.json" { file = "haproxy.json" }
  config "consul.json" { file = "consul.json" }
  config "node.json" { file = "node.json" }

  # One Prometheus, with its disk. Grafana keeps nothing, and is on the same host.
  slots "prometheus" { count = 1 }

  stack { file = "stack.yml" }

  requires {
    memory = 128  # MiB; where Prometheus runs, some more
    disk   = 1024 # MiB
  }

  port "prometheus" {
    number = 9090
    from   = "operators"
    note   = "Prometheus: metrics and alerts"
  }

  port "grafana" {
    number = 3000
    from   = "operators"
    note   = "Grafana"
    when   = input.grafana
  }

  console "prometheus" { port = 9090 }

  console "grafana" {
    port   = 3000
    user   = "admin"
    secret = "grafana_password"
    when   = input.grafana
  }

  # The configuration and the rules are sound: Prometheus would not start with
  # others, and this says why.
  gate "rules" {
    exec   = ["promtool", "check", "config", "/etc/prometheus/prometheus.yml"]
    on     = "slot"
    within = "1m"
    note   = "configuration and alerts are sound"
  }

  # Of the member after its own change, and not of the stack before one: what is
  # watched may be wrong in the inventory, and mending that must not wait for it.
  gate "targets" {
    exec = ["sh", "-c", <<-EOT
      up=$(promtool query instant http://127.0.0.1:9090 'count(up == 1)')
      down=$(promtool query instant http://127.0.0.1:9090 'up == 0')
      echo "$up; down: $down"
      test -n "$up" && test -z "$down"
    EOT
    ]
    on     = "slot"
    within = "3m"
    note   = "Prometheus reaches all that it is to watch"
  }
}
