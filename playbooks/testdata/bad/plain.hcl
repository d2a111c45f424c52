cluster "rmq" {}
host "a" { address = "10.0.0.1" }
network "prod" { subnet = "10.0.1.0/24" }
variable "token" {
  default   = "s3cret"
  sensitive = true
}

stack "variable" {
  compose = "./plain/variable.yml"
  inputs  = { TAG = 1 }
}
stack "property" { compose = "./plain/property.yml" }
stack "objects" { compose = "./plain/objects.yml" }
stack "twice" { compose = "./plain/twice.yml" }
stack "missing" { compose = "./plain/missing.yml" }
stack "inputs" {
  compose = "./plain/variable.yml"
  inputs  = { NAME = var.token, TAG = [1], TGA = "x" }
}
