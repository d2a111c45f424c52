cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

host "node-2" {
  address = "10.0.0.12"
  private = "10.1.0.11"
}
host "node-3" {
  address = "10.0.0.13"
  private = "10.1.0.11"
}
host "node-4" { address = "127.0.0.1" }
host "node-5" { address = "0.0.0.0" }
host "node-6" { address = "localhost" }
host "node-7" {
  address = "10.0.0.17"
  private = "127.0.0.1"
}
