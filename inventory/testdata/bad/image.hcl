cluster "rmq" {}
host "node-1" { address = "10.0.0.11" }

image "Orders" { build = "../images/orders" }
image "none" { build = "../images/none" }
image "empty" { build = "../images/empty" }
image "nothing" {}
image "other" {
  context = "../images/orders"
}
image "twice" { build = "../images/orders" }
image "twice" { build = "../images/none" }

stack "orders" {
  playbook = "./orders"
  inputs   = { one = image.order, two = image.none, three = "image.twice" }
}
