cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

stack "both" {
  playbook = "rabbitmq"
  compose  = "./orders.yml"
}
stack "empty" { compose = "" }
stack "list" { compose = ["./orders.yml"] }
