cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

locals { n = host.node-1.address + 1 }
ssh { port = null }
network "a" { mtu = "1400" }
network "b" { mtu = "many" }
