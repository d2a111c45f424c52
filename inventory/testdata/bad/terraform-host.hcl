cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

host "node" {
  count    = 3
  for_each = ["a", "b"]
  address  = "10.0.0.2${count.index}"
}
stack "consul" {
  playbook = "consul"
  lifecycle { prevent_destroy = true }
}
dynamic "host" {
  for_each = ["a"]
  content {}
}
