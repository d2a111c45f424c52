cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

variable "a" {
  type    = "string"
  default = "x"
}
variable "b" {
  type    = list
  default = []
}
variable "c" {
  type    = int
  default = 1
}
