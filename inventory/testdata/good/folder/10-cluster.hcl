cluster "rmq" { region = var.region }

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "secret" { sensitive = true }

variable "zones" {
  type = list(string)
  validation {
    condition     = length(var.zones) > 1
    error_message = "At least two zones are needed, not ${length(var.zones)}."
  }
}

ssh {
  user          = "admin"
  port          = 2222
  jump          = "me@bastion.example.com:2200,10.1.1.1"
  known_hosts   = "~/.ssh/rmq_hosts"
  sudo_password = "x-${var.secret}"
  dial_timeout  = "1m30s"

  instance_connect = true
}
