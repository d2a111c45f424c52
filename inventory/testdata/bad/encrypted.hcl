cluster "rmq" {}
discover "ec2" { filters = { "tag:Cluster" = "rmq" } }
network "prod" { encrypted = true }
