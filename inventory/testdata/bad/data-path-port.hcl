cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

swarm { data_path_port = 7946 }
