cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

security_group "sg-rmq" {
  adopt     = "rmq"
  operators = ["0.0.0.0/0", "::/0"]
}
