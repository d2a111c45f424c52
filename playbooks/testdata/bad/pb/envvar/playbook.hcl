playbook "envvar" {
  stack { file = "stack.yml" }
}
