playbook "objects" {
  stack { file = "stack.yml" }
}
