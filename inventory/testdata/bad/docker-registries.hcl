cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

docker {
  registry_mirrors    = ["mirror:5000", "http://me:pw@mirror:5000", "http://mirror:5000/v2"]
  insecure_registries = ["http://registry:5000", "10.0.0.0/8", "registry:5000"]
  log_max_size        = "50 MB"
}
