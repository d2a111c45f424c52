playbook "lint" {
  slots "db" { count = 1 }
  stack { file = "stack.yml" }
}
