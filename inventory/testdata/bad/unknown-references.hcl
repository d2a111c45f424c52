cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

variable "region" { default = "x" }
locals {
  a = var.regoin
  b = host["node-9"].address
  c = host["node-1"].adress
  d = network.prod.subnet
  e = vars.region
  f = local.z
  g = plain
  h = locals.a
}
