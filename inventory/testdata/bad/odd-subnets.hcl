cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

network "a" { subnet = "127.0.5.0/24" }
network "b" { subnet = "8.8.8.0/24" }
network "c" { subnet = "0.0.0.0/0" }
swarm { address_pools = ["224.0.0.0/16", "10.0.0.0"] }
