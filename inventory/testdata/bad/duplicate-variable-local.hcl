cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

variable "x" { default = 1 }
variable "x" { default = 2 }
locals { a = 1 }
locals { a = 2 }
