cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

host "node-2" {
  address = "10.0.0.12"
  zone    = host["node-3"].zone
}
host "node-3" {
  address = "10.0.0.13"
  zone    = host["node-2"].zone
}
