cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

cluster "other" {
  host "node-2" { address = "10.0.0.12" }
}
docker {
  settings {
    debug = true
  }
  extra {}
}
