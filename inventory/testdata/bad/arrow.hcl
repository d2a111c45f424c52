cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

stack "rabbitmq" {
  playbook = "rabbitmq"
  inputs = {
    members => 3
    image := "rabbitmq:4.0.5"
  }
}
