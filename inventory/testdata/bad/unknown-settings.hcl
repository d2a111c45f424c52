cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

docker {
  settings = {
    log_level         = "warn"
    "live-restore"    = false
    "shiny"           = 1
    "storage-driver"  = "overlay2"
  }
}
