cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

registry_mirrors = ["http://10.0.0.1:5000"]
members = 3
