cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

file "a" {
  path   = "etc/motd"
  source = "missing.txt"
  mode   = 644
}
file "b" {
  path    = "/etc/docker/daemon.json"
  content = "{}"
  hosts   = ["node-2"]
}
file "c" {
  path    = "/etc/rmqprov/x"
  source  = "x"
  content = "y"
  owner   = "Some One"
  restart = ["nginx service"]
}
file "d" {
  path    = "/etc/../etc/motd"
  content = ["a"]
  mode    = "rw-r--r--"
  hosts   = [3, [], host["node-9"]]
}
