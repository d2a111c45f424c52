# A cluster of three hosts: Docker and its swarm on each, Consul, RabbitMQ, and
# a HAProxy on every host. Change the addresses and the user, then:
#
#   rmqprov validate inventory.hcl    # checks this file, touches no host
#   rmqprov plan inventory.hcl        # looks at the hosts, shows what would change
#   rmqprov apply inventory.hcl       # does it

# What differs between installations, and secrets, come from outside: by
# --var NAME=VALUE, --var-file FILE, or RMQPROV_VAR_NAME in the environment.
variable "admin_password" {
  description = "Password of RabbitMQ's administrator. Empty: one is generated, and `rmqprov secret` shows it."
  type        = string
  default     = ""
  sensitive   = true # never printed
}

# The name marks on hosts and in EC2 what belongs to this cluster.
cluster "rmq" {}

# How hosts are reached. What is left out is taken from ~/.ssh/config, then from
# OpenSSH's defaults. The user needs sudo.
ssh {
  user = "ec2-user"

  # identity = "~/.ssh/cluster"    # without it: the agent, then the default keys
  # jump     = "admin@bastion.example.com"

  # "known_hosts" (the default) wants every host's key to be known. "accept-new"
  # takes the key of a host that was never seen. "ec2" trusts what the console of
  # the instance printed when it booted.
  # host_keys = "accept-new"
}

# One block for each machine. A swarm has up to three managers, an odd number of
# them; role = "manager" or "worker" chooses otherwise. For hosts in EC2, a block
#   discover "ec2" { filters = { "tag:Cluster" = "rmq" } }
# finds them by tag.
host "node-1" { address = "10.0.0.11" }
host "node-2" { address = "10.0.0.12" }
host "node-3" { address = "10.0.0.13" }

# The Docker Engine of every host: installed where it is missing, from 20.10 on
# accepted where it is there. Keys of daemon.json that are not named here stay.
docker {
  log_max_size = "50m" # of a container's log, before a new file is begun
  log_max_file = 3

  # registry_mirrors = ["https://mirror.example.com"]
  # settings         = { "default-shm-size" = "128M" }    # further keys
}

# The overlay network between the stacks. Its subnet must be outside of the
# hosts' own network. encrypted = true needs IP protocol 50 between the hosts.
network "prod" {
  subnet     = "10.20.0.0/24"
  attachable = true # lets a container started by hand join it
}

# What runs. `rmqprov playbook list` names the playbooks that the program
# carries, `rmqprov playbook show NAME` their inputs; a folder such as
# "./playbooks/orders" is one of your own. Stacks without depends_on between
# them start side by side.
stack "consul" {
  playbook = "consul"
}

stack "rabbitmq" {
  playbook   = "rabbitmq"
  depends_on = [stack.consul]
  inputs = {
    members        = 3
    admin_user     = "admin"
    admin_password = var.admin_password
  }
}

stack "haproxy" {
  playbook   = "haproxy"
  depends_on = [stack.rabbitmq]
}
