cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

host "node-2" {
  ip         = "10.0.0.12"
  private_ip = "10.1.0.12"
  manager    = true
  tags       = { rack = "a" }
  az         = "a"
  availability_zone = "a"
  username   = "ec2-user"
}
