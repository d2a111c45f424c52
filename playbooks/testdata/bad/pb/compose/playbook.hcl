playbook "compose" {
  slots "db" { count = 1 }
  secret "key" { generate = 16 }
  port "http" {
    number = 99999
    from   = "everybody"
  }
  console "web" {
    port   = 80
    secret = "kee"
  }
  gate "up" {
    exec   = ["true"]
    on     = "any"
    within = "soon"
  }
  after "stop" { exec = ["true"] }
  proof "p" {
    protocol = "smtp"
    port     = 25
  }
  stack {
    file = "stack.yml"
    form = "second"
  }
}
