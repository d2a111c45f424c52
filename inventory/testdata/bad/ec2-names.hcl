cluster "rmq" { region = "Frankfurt" }
host "node-1" {
  address     = "10.0.0.11"
  instance_id = "node-1"
}
discover "ec2" {
  filters = { "tag:Cluster" = "rmq" }
  region  = "eu-central-1a"
}
