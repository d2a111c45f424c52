cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

stack "rabbitmq" {
  template = "rabbitmq"
  vars     = { members = 3 }
  requires = ["consul"]
  image    = "rabbitmq:4.0.5"
  members  = 3
}
docker {
  mirrors       = ["http://10.0.0.1:5000"]
  daemon_json   = {}
  data_root     = "/data"
  log_driver    = "journald"
}
