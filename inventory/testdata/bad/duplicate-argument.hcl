cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

network "prod" {
  subnet = "10.20.0.0/24"
  subnet = "10.20.1.0/24"
}
