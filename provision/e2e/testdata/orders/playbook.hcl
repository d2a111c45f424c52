# A user's own system: a web server on every host.
playbook "orders" {
  config "orders.cfg" { file = "orders.cfg" }

  stack { file = "stack.yml" }

  port "http" {
    number = 8081
    from   = "clients"
    note   = "the orders"
  }

  gate "up" {
    exec   = ["bash", "-c", "exec 3<> /dev/tcp/127.0.0.1/8081"]
    on     = "each"
    within = "2m"
    note   = "it takes connections on every host"
  }

  proof "orders" {
    protocol = "http"
    port     = 8081
    path     = "/"
  }
}
