cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

network "prod" {
  subent = "10.0.1.0/24"
  colour = "red"
  mode   = "0644"
}
