cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

host "Node_2" { address = "10.0.0.12" }
stack "-" { playbook = "consul" }
network "prod.net" {}
network "ingress" {}
variable "2nd" { default = 1 }
