# Locals stand before what they are made of: the order never matters.
locals {
  banner    = "${local.first} of ${cluster.name} in ${cluster.region}"
  first     = upper(host["node-1"].name)
  addresses = [for h in host : h.address]
}

host "node-1" {
  address     = cidrhost("10.0.0.0/24", 11)
  private     = "192.168.7.11"
  role        = "manager"
  zone        = "${cluster.region}${var.zones[0]}"
  instance_id = "i-0123456789abcdef0"
  type        = "m6i.large"
  labels      = { rack = "a", "disk.type" = "nvme" }
}

host "node-2" {
  address  = replace(host.node-1.address, "/[0-9]+$/", "12")
  role     = host.node-1.role
  user     = "root"
  port     = 22
  jump     = ""
  identity = ""
}

host "node-3" {
  address = "node-3.example.com"
  role    = "manager"
}

host "node-4" {
  address = "fd00::4"
  role    = "worker"
}
