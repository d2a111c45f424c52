cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

stack "a" {
  playbook   = "consul"
  depends_on = [stack.b]
}
stack "b" {
  playbook   = "consul"
  depends_on = [stack.c]
}
stack "c" {
  playbook   = "consul"
  depends_on = [stack.a]
}
stack "d" {
  playbook   = "consul"
  depends_on = [stack.a, stack.d]
}
