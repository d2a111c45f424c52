cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

network "a" { subnet = "10.20.0.0" }
network "b" { subnet = "10.20.0.0/40" }
network "c" { subnet = "10.20.0.0/255.255.255.0" }
network "d" { subnet = "fd00::/64" }
network "e" { subnet = "10.20.0.0/30" }
network "f" { subnet = "ten" }
security_group "rmq" {
  clients = ["203.0.113.7", "10.0.0.0/33"]
}
