cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

file "a" {
  path    = "/etc/a"
  content = "a"
  mode    = 0644
}
file "b" {
  path    = "/etc/b"
  content = "b"
  mode    = "u=rw"
}
file "c" {
  path    = "/etc/c"
  content = "c"
  mode    = "9999"
}
