cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

swarm { address_pools = ["10.30.0.0/28", "10.40.0.0/16", "10.40.5.0/24"] }
