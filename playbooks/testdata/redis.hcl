cluster "rmq" {}
ssh { user = "ec2-user" }
host "node-1" { address = "10.0.0.11" }
host "node-2" { address = "10.0.0.12" }
host "node-3" { address = "10.0.0.13" }
network "prod" { subnet = "10.20.0.0/24" }
stack "redis" {
  playbook = "redis"
  inputs   = { memory = 200 }
}
