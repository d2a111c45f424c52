cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

hsot "x" {}
ssh {
  usr  = "me"
  port = 0
}
host "node-1" { address = "10.0.0.12" }
host "node-2" {
  address = "10.0.0.11"
  role    = "boss"
}
network "a" { subnet = "10.20.0.0/16" }
network "b" { subnet = "10.20.1.0/24" }
locals {
  z = uper("x")
  y = local.x
  x = local.y
}
stack "one" {
  playbook   = "consul"
  depends_on = [stack.two]
  inputs     = { b = var.nope, a = local.z, c = strin("x") }
}
stack "two" {
  playbook   = "consul"
  depends_on = [stack.one, stack.three]
}
