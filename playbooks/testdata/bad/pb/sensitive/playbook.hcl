playbook "sensitive" {
  input "password" {
    default   = "hunter2"
    sensitive = true
  }
  config "app.conf" { file = "app.conf" }
  stack { file = "stack.yml" }
}
