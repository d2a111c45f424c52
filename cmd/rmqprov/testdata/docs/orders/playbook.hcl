playbook "orders" {
  description = "Takes orders."
  input "token" {
    default     = ""
    description = "What it logs in with."
  }
  input "image" {
    default     = "orders:1"
    description = "What it runs."
  }
  stack { file = "stack.yml" }
}
