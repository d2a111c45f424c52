cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

host "node-2" { address = "10.0.0.12" }
file "a" {
  path    = "/etc/motd"
  content = "a"
  hosts   = ["node-1"]
}
file "b" {
  path    = "/etc/motd"
  content = "b"
}
file "c" {
  path    = "/etc/motd"
  content = "c"
  hosts   = [host.node-2]
}
file "a" {
  path    = "/etc/other"
  content = "a"
}
