cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

variable "user" { default = "ec2-user" }
ssh { user = "var.user" }
host "node-2" { address = "host.node-1.address" }
