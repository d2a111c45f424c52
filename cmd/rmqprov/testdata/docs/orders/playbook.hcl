playbook "orders" {
  description = "Takes orders."
  input "token" {
    default     = ""
    description = "What it logs in with."
  }
  stack { file = "stack.yml" }
}
