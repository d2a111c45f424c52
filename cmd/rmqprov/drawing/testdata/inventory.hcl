cluster "prod" {}
ssh { user = "ec2-user" }

host "node-1" {
  address = "10.0.1.11"
  zone    = "eu-west-1a"
}
host "node-2" {
  address = "10.0.2.12"
  zone    = "eu-west-1b"
}
host "node-3" {
  address = "10.0.3.13"
  zone    = "eu-west-1c"
}

network "prod" { subnet = "10.20.0.0/24" }

stack "consul" { playbook = "consul" }
stack "rabbitmq" {
  playbook   = "rabbitmq"
  depends_on = [stack.consul]
}
stack "haproxy" {
  playbook   = "haproxy"
  depends_on = [stack.rabbitmq]
}
