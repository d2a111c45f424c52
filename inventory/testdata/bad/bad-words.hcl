cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

ssh {
  host_keys    = "acceptnew"
  dial_timeout = "10"
}
host "node-2" {
  address = "10.0.0.12"
  role    = "leader"
}
discover "ec2" {
  filters = { "tag:Cluster" = "rmq" }
  address = "privat"
}
