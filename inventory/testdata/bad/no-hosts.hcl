cluster "rmq" {}
