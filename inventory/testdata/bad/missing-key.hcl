cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

ssh {
  identity = "keys/none"
  config   = "~/nowhere"
}
