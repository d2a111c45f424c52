cluster "c" {}
host "a" { address = "10.0.0.1" }
host "b" { address = "10.0.0.2" }
host "c" { address = "10.0.0.3" }
network "prod" { subnet = "10.0.1.0/24" }

stack "typo"      { playbook = "rabbitmqq" }
stack "many" {
  playbook = "rabbitmq"
  inputs   = { members = 5 }
}
stack "wrong" {
  playbook = "rabbitmq"
  inputs = {
    memberz        = 3
    members        = "three"
    admin_password = "pass#word"
    plugins        = { a = 1 }
  }
}
stack "invalid" {
  playbook = "rabbitmq"
  inputs = {
    members        = 4
    admin_password = "pass#word"
  }
}
stack "untagged" {
  playbook = "rabbitmq"
  inputs   = { image = "registry.example/rabbitmq@sha256:0000000000000000000000000000000000000000000000000000000000000000" }
}
stack "mirrors" {
  playbook = "rabbitmq"
  inputs   = { ha_policy = "^orders" }
}
stack "nowhere" {
  playbook = "consul"
  inputs   = { network = "prd" }
}
stack "needy" { playbook = "./pb/needy" }
