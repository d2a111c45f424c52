cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

locals {
  a = local.b
  b = upper(local.c)
  c = "${local.a}!"
  own = local.own
}
