cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

variable "nothing" {}
variable "members" { type = number }
variable "wrong_default" {
  type    = list(number)
  default = ["a"]
}
variable "zones" { type = list(string) }
variable "refers" { default = var.zones }
variable "deep" {
  type    = object({ name = string, size = number })
  default = { name = "a", size = "big" }
}
variable "bad_type" {
  type    = strng
  default = "a"
}
