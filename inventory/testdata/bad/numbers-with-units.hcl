cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

ssh { dial_timeout = 10 }
docker {
  log_max_size = 50
  log_max_file = "3 files"
}
network "prod" { mtu = "1400 bytes" }
