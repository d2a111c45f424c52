playbook "orders" {
  description = "An application of the user's own"

  input "shards" { type = number }
  input "token" {
    type      = string
    sensitive = true
  }
  input "extra" {
    type    = map(string)
    default = {}
  }

  locals {
    peers = join(",", [for s in slots.shard : "${s.name}:7000"])
    count = input.shards
  }

  slots "shard" { count = local.count }

  secret "token" { value = input.token }
  secret "token_env" {
    of     = "token"
    format = "TOKEN=%s\n"
  }

  config "app.toml" { file = "conf/app.toml" }

  stack { file = "compose/stack.yml" }

  gate "up" {
    exec    = ["wget", "-qO-", "http://127.0.0.1:8080/healthz"]
    on      = "each"
    service = "web"
    within  = "90s"
  }

  gate "never" {
    exec = ["false"]
    when = input.shards > 9
  }

  before "stop" {
    exec = ["app", "hand-over", "--from", slot.name]
    note = "moves the shard's orders to another"
  }

  on "lost" {
    name = "drop"
    exec = ["app", "drop", "${slot.name}.${stack.name}"]
    on   = "another"
  }
}
