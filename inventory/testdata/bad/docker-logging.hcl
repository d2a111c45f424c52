cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

docker {
  log_max_size = "50m"
  settings     = { "log-driver" = "journald" }
}
