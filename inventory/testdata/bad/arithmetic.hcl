cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

locals {
  a = 1 / 0
  b = "x" + 1
  c = null + 1
  d = [1, 2][5]
  e = true ? 1 : "x"
  f = 1 == 1 && "yes"
  g = "a" > "b"
}
