cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

host "node-2" { address = "::ffff:10.0.0.11" }
host "node-3" { address = "Node.example.com" }
host "node-4" { address = "node.example.com" }
host "node-5" {
  address = "10.0.0.11"
  port    = 2222
}
