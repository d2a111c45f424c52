cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

variable "members" {
  default = 2
  validation {
    condition     = var.members % 2 == 1
    error_message = "The number of members must be odd."
  }
}
variable "region" {
  validation {
    condition     = "eu"
    error_message = "x"
  }
}
variable "secret" {
  sensitive = true
  validation {
    condition     = length(var.secret) > 20
    error_message = "${var.secret} is too short."
  }
}
