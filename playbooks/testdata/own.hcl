cluster "rmq" {}
host "a" { address = "10.0.0.1" }
host "b" {
  address = "10.0.0.2"
  zone    = "ap-southeast-1b"
}
network "prod" { subnet = "10.0.1.0/24" }
network "back" {}

stack "orders" {
  playbook = "./own/orders"
  inputs   = { token = "s3cret", shards = 2 }
}
