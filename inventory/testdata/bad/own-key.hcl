cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

ssh { identity = "~/.ssh/id_ed25519.pub" }
