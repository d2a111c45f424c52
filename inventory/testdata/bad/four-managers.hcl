cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

host "m-0" {
  address = "10.0.0.20"
  role    = "manager"
}
host "m-1" {
  address = "10.0.0.21"
  role    = "manager"
}
host "m-2" {
  address = "10.0.0.22"
  role    = "manager"
}
host "m-3" {
  address = "10.0.0.23"
  role    = "manager"
}
