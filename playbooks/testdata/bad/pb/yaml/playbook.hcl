playbook "yaml" {
  stack { file = "stack.yml" }
}
