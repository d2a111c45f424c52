# A key is let in as one user, so that user must be named.
cluster "rmq" {}
ssh { instance_connect = true }
host "a" { address = "10.0.0.1" }
