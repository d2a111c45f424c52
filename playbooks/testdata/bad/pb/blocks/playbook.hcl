playbook "blocks" {
  slots "db" { count = 1 }
  inptu "x" {}
  gate "up" {
    exce = ["true"]
  }
  port "http" {
    numbr = 80
    from  = "clients"
  }
  stack { file = "stack.yml" }
}
