cluster "rmq" {}
host "a" { address = "10.0.0.1" }
host "b" { address = "10.0.0.2" }
network "prod" { subnet = "10.0.1.0/24" }

image "jobs" { build = "plain/jobs" }

stack "shop" {
  compose = "plain/orders.yml"
  inputs  = { TAG = 1.5, REPLICAS = 2, STAGE = "test" }
}
