playbook "refs" {
  locals {
    a = local.b
    b = local.a
  }
  stack { file = "stack.yml" }
}
