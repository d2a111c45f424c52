playbook "image" {
  gate "up" {
    exec    = ["true"]
    on      = "each"
    service = "wbe"
  }
  stack { file = "stack.yml" }
}
