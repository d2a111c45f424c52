cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

network "prod" { subnet = "10.20.0.0/24" }
locals {
  a = host["node-1"].adress
  b = network.prod.subnets
  c = cluster.title
  d = { one = { two = 2 } }
  e = local.d.one.too
}
