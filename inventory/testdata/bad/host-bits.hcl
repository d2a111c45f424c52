cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

network "a" { subnet = "10.20.0.7/24" }
security_group "rmq" { clients = ["10.0.0.1/16"] }
