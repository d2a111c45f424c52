cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

host "node-2" {
  address = "10.0.0.12"
  role    = manager
}
ssh { host_keys = accept-new }
stack "rabbitmq" { playbook = rabbitmq }
