cluster = "rmq"

host "node-1" { address = "10.0.0.11" }
