# Written by `rmqlab up` and `rmqlab replace`: this lab's hosts, as a complete cluster.

variable "admin_password" {
  default   = env("RMQ_ADMIN_PASSWORD")   # unset or empty: generated once, kept as a Docker secret
  sensitive = true
}

cluster "rmq" {}

ssh {
  user        = "ec2-user"
  identity    = "/home/me/$it's $${here}/key"
  host_keys   = "known_hosts"
  known_hosts = "/home/me/$it's $${here}/known_hosts"
}

host "node-1" { address = "10.78.0.11" }
host "node-2" { address = "10.78.0.21" }
host "node-3" { address = "10.78.0.13" }

docker {
  registry_mirrors = ["http://10.78.0.1:5000"]
}

network "prod" {
  subnet     = "10.0.1.0/24"
  attachable = true
}

stack "consul" {
  playbook = "consul"
  inputs   = { image = "consul:1.8.7" }
}

stack "rabbitmq" {
  playbook   = "rabbitmq"
  depends_on = [stack.consul]
  inputs = {
    image          = "rabbitmq:4.0.5"
    members        = 3
    admin_user     = "admin"
    admin_password = var.admin_password
  }
}

stack "haproxy" {
  playbook   = "haproxy"
  depends_on = [stack.rabbitmq]
  inputs     = { image = "haproxy:3.0" }
}
