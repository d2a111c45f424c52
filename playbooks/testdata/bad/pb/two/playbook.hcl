playbook "two" {
  slots "db" { count = 1 }
  config "app.conf" { file = "app.conf" }
  config "gone"     { file = "gone.conf" }
  secret "empty" {}
  secret "form" {
    generate = 16
    format   = "no hole"
  }
  secret "other" { of = "fom" }
  stack {
    file = "stack.yml"
    roll = "dbs"
  }
}
