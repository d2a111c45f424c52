playbook "needy" {
  input "size" {
    type        = number
    description = "how big"
  }
  stack { file = "stack.yml" }
}
