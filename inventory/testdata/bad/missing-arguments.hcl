cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

stack "consul" {}
file "motd" {}
variable "x" {
  default = 1
  validation {}
}
