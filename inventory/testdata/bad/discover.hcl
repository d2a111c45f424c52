cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

discover "gcp" { filters = {} }
discover "ec2" {}
discover "ec2" { filters = {} }
discover "ec2" {
  filters = {
    "tags:Cluster" = "rmq"
    "tag:Role"     = { a = 1 }
    "Name"         = "rmq"
  }
}
