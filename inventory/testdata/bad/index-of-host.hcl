cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

locals {
  a = host[0].address
  b = host[node-1].address
  c = host.node-1.address
  d = host["node-1"]["ip"]
  e = [host.*.address]
}
