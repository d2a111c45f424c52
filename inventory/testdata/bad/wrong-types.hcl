cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

ssh {
  user = ["me"]
  port = "many"
}
host "node-2" {
  address = { ip = "10.0.0.12" }
  labels  = ["a"]
}
network "prod" {
  attachable = "yes"
  encrypted  = 1
}
docker {
  registry_mirrors    = "http://10.0.0.1:5000"
  insecure_registries = [["a"]]
  settings            = "none"
}
