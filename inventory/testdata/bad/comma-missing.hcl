cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

docker {
  registry_mirrors = [
    "http://10.0.0.1:5000"
    "http://10.0.0.2:5000"
  ]
}
