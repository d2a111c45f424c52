cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

stack "consul" { playbook = "consul" }
stack "rabbitmq" {
  playbook   = "rabbitmq"
  depends_on = ["stack.consul", consul, "Consul"]
}
stack "haproxy" {
  playbook   = "haproxy"
  depends_on = stack.rabbitmq.name
}
