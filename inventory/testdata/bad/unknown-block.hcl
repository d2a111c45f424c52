cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

hosts "node-2" { address = "10.0.0.12" }

balancer {}
