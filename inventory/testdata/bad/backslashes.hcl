cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

ssh {
  identity = "C:\Users\me\.ssh\id_ed25519"
}
