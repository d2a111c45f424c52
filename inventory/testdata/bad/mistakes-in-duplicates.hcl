cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

host "node-1" { address = "10.0.0.300" }
stack "consul" { playbook = "consul" }
stack "consul" {
  playbook   = "a/b"
  depends_on = [stack.cnsul]
}
network "a" {}
network "a" { subnet = "10.20.0.0" }
file "a" {
  path    = "/etc/a"
  content = "a"
}
file "a" {
  path    = "b"
  content = "b"
}
