cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

stack "consul" { playbook = "consul" }
stack "rabbitmq" {
  playbook   = "rabbitmq"
  depends_on = stack.consul
}
stack "haproxy" {
  playbook   = "haproxy"
  depends_on = [host.node-1, 3, consul]
}
stack "redis" {
  playbook   = "redis"
  depends_on = "consul"
}
