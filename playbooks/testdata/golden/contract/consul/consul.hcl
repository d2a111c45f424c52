# Configuration that all servers share. What differs (name, id, the address to
# bind to) is in the arguments of each service, in stack.yml.
# ${…} is filled in by rmqprov; the file is an HCL template.

server           = true
bootstrap_expect = 3
datacenter       = "dc1"

# The servers know each other by the names of their services. Docker's DNS does
# not know a name before its container runs, so the first try often fails: the
# default of 30 s until the next one would be most of the time to the first leader.
retry_join     = ["consul-01","consul-02","consul-03"]
retry_interval = "1s"

# HTTP on all addresses of the container: other stacks ask by the overlay
# network, operators by the port published on the host.
client_addr = "0.0.0.0"
ports {
  http = 8500
}

# For Prometheus: /v1/agent/metrics answers in its format.
telemetry {
  prometheus_retention_time = "1h"
  disable_hostname          = true
}

performance {
  # The speed of elections and heartbeats. With the default of 5, for the smallest
  # machines, the time without a leader is five times as long as with 1. With 1, a
  # leader steps down whose followers are late by half a second, as they are on
  # hosts that are installing or pulling images; such a Consul elects for minutes.
  raft_multiplier = 2
}

# A new server, or one that has come back with another address, votes once it has
# been healthy for a while. By default it is called unhealthy when the leader has
# not heard from it for 200 ms, so that on a busy host it votes after minutes or
# never, and all that time the loss of one more server is the loss of Consul.
#
# A server that does not answer stays one of the 3: it comes back, or its
# successor has its id. By default it is put out of the set within seconds, by a
# leave in its name that reaches the others late, too: two hosts that went one
# after the other came back to a leader for whom one server was leaving for ever.
autopilot {
  cleanup_dead_servers      = false
  last_contact_threshold    = "2s"
  server_stabilization_time = "5s"
}

# A stopped server stays a member. If it left (leave_on_terminate), it would no
# longer count for the majority: with one server dead already, an ordinary
# restart of a second host would leave one voter of two and no way back but
# surgery. A server that returns has another overlay address; it is found by
# its node id, which is fixed, so nothing has to be left and joined.
leave_on_terminate      = false
skip_leave_on_interrupt = true
rejoin_after_leave      = true

disable_update_check = true
