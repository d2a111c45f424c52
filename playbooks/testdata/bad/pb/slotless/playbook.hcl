playbook "slotless" {
  slots "db" { count = 1 }
  gate "up" {
    exec    = ["true"]
    on      = "each"
    service = "wbe"
  }
  stack { file = "stack.yml" }
}
