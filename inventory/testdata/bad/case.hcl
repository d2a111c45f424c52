cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

Host "node-2" { address = "10.0.0.12" }
host "node-3" {
  Address = "10.0.0.13"
  role    = "Manager"
}
ssh { host_keys = "Known_Hosts" }
