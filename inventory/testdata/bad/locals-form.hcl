cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

locals "x" { a = 1 }
locals { b { c = 1 } }
