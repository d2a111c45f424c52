cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

ssh { port = 70000 }
network "prod" { mtu = 50000 }
network "test" { mtu = 1400.5 }
swarm {
  subnet_size    = 30
  data_path_port = 80
}
docker { log_max_file = 0 }
