cluster "rmq" {}
host "node-1" { address = "10.0.0.11" }

image "orders" { build = "../images/orders" }

stack "orders" {
  playbook = "./orders"
  inputs   = { image = image.orders }
}
