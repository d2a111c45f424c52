cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

terraform {
  required_version = ">= 1.5"
}
provider "aws" { region = "eu-west-1" }
resource "aws_instance" "node" { ami = "ami-1" }
data "aws_ami" "al2023" {}
module "rmq" { source = "./rmq" }
output "address" { value = host["node-1"].address }
local { a = 1 }
