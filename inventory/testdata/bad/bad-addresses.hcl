cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

host "a" { address = "10.0.0.300" }
host "b" { address = "10.0.0.12:22" }
host "c" { address = "me@10.0.0.13" }
host "d" { address = "10.0.0.14/24" }
host "e" { address = "no such host" }
host "f" {
  address = "10.0.0.15"
  private = "node-f"
}
host "g" { address = "" }
host "h" { address = env("NOT_SET") }
host "i" { address = null }
host "j" {}
