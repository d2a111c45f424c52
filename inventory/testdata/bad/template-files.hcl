cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

locals {
  a = templatefile("templates/motd.tmpl", { nam = "x" })
  b = templatefile("templates/number.tmpl", {})
  c = templatefile("templates/motd.tmpl", "x")
  d = templatefile("templates/broken.tmpl", {})
}
