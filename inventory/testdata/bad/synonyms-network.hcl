cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

network "prod" {
  cidr   = "10.0.1.0/24"
  driver = "overlay"
  encrypt = true
}
file "motd" {
  dest  = "/etc/motd"
  src   = "motd"
  permissions = "0644"
}
