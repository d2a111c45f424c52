cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

swarm { address_pools = ["10.30.0.0/16"] }
network "a" { subnet = "10.20.0.0/16" }
network "b" { subnet = "10.20.1.0/24" }
network "c" { subnet = "10.30.1.0/24" }
network "d" { subnet = "10.0.0.0/24" }
network "e" { subnet = "172.17.5.0/24" }
