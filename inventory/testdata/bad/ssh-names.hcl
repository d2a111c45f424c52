cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

ssh {
  user = "me@host"
  jump = "ssh://bastion"
}
host "node-2" {
  address = "10.0.0.12"
  user    = "some one"
  jump    = "a@bastion.example.com:22,b c"
}
