cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

network "prod" {
  subnet = 10.0.1.0/24
}
