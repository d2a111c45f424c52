cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

ssh {
  identity = <<EOT
-----BEGIN OPENSSH PRIVATE KEY-----
aHVudGVyMg==hunter2
-----END OPENSSH PRIVATE KEY-----
EOT
}
