cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

stack "consul" {
  playbook = "consul"
  inputs {
    members = 3
  }
}

variable "x" {
  default    = 1
  validation = true
}
