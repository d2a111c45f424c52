cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

ssh {
  username      = "ec2-user"
  private_key   = "~/.ssh/id_ed25519"
  key_file      = "~/.ssh/id_ed25519"
  password      = "x"
  bastion       = "admin@bastion"
  proxy_jump    = "admin@bastion"
  timeout       = "10s"
  host_key_checking = false
  become_pass   = "x"
}
