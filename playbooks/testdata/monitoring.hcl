cluster "rmq" {}
host "a" { address = "10.0.0.1" }
host "b" { address = "10.0.0.2" }
host "c" { address = "10.0.0.3" }
network "prod" { subnet = "10.0.1.0/24" }

stack "monitoring" {
  playbook = "monitoring"
  inputs   = { grafana_password = "s3cret", alertmanagers = ["alerts.example.com:9093"] }
}
stack "bare" {
  playbook = "monitoring"
  inputs   = { grafana = false, members = 0, servers = 0, haproxy = false }
}
