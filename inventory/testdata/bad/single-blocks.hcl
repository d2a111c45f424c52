cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

docker {}

docker { log_max_file = 4 }

cluster "other" {}
