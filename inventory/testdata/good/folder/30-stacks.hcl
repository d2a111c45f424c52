locals { common = { image = "registry.example.com/consul:1.8.7" } }

docker {
  registry_mirrors    = ["http://10.78.0.1:5000"]
  insecure_registries = ["10.0.0.0/8", "registry.example.com:5000"]
  log_max_size        = "10m"
  log_max_file        = 5
  settings = {
    "live-restore"          = false
    "max-concurrent-uploads" = 2
    "default-ulimits"       = { nofile = { Name = "nofile", Hard = 20000, Soft = 20000 } }
  }
}

swarm {
  address_pools  = ["10.99.0.0/16"]
  subnet_size    = 26
  data_path_port = 4790
}

network "prod" {
  subnet     = "10.20.0.0/24"
  mtu        = 1400
  attachable = true
  encrypted  = true
}

network "spare" {}

stack "consul" {
  playbook = "consul"
  inputs   = merge(local.common, { password = var.secret })
}

stack "rabbitmq" {
  playbook   = "rabbitmq"
  depends_on = concat([stack.consul], [stack.consul])
  inputs = {
    "subnet"  = network["prod"].subnet
    addresses = local.addresses
    password  = var.secret
    plain     = nonsensitive(sensitive("x"))
  }
}

stack "orders" {
  playbook   = "./playbooks/orders"
  depends_on = ["rabbitmq", stack.consul]
}

file "motd" {
  path    = "/etc/motd"
  content = templatefile("files/motd.tmpl", { banner = local.banner })
  hosts   = [host["node-1"], "node-2"]
}

file "motd-elsewhere" {
  path    = "/etc/motd"
  source  = "files/motd.tmpl"
  hosts   = ["node-3"]
  mode    = "0600"
  owner   = "999"
  group   = "adm"
  restart = ["nginx.service", "getty@tty1"]
}

security_group "rmq" {
  adopt     = "sg-0123456789abcdef0"
  clients   = ["172.31.0.0/16", "fd00::/8"]
  operators = ["203.0.113.7/32"]
}
