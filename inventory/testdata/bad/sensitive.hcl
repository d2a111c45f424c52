cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

variable "secret" { sensitive = true }
variable "broken" {
  sensitive = true
  type      = list(string)
}
variable "port" {
  type      = number
  sensitive = true
  default   = 1
}
locals {
  number = parseint(var.secret, 10)
  both   = { a = var.secret }
  copy   = local.both.b
  key    = { "x" = 1 }[var.secret]
  twice  = { for s in [var.secret, var.secret] : s => 1 }
  path   = file("/nowhere/${var.secret}")
  tmpl   = templatefile("/nowhere/x", { s = var.secret })
  list   = [for s in [var.secret] : tonumber(s)]
}
ssh {
  user          = var.secret
  port          = var.secret
  sudo_password = [var.secret]
}
host "node-2" {
  address = "10.0.0.${var.secret}"
  labels  = { a = var.secret }
}
stack "consul" {
  playbook   = "consul"
  depends_on = [var.secret]
}
