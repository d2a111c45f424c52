cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

locals {
  a = uper("x")
  b = launch("x")
  c = cidrhost("10.0.0.0/24")
  d = cidrhost("10.0.0.0", 1)
  e = parseint("z", 10)
  f = file("missing.txt")
}
