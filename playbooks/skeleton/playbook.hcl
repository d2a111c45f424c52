playbook "hello" {
  description = "Answers on port 8080 of each host that has a member"

  # What an inventory may set. One without a default must be set.
  input "image" {
    type        = string
    default     = "haproxy:3.0"
    description = "any official image of HAProxy from 2.4 on"
  }

  input "members" {
    type        = number
    default     = 3
    description = "how many, one a host"
  }

  input "password" {
    type        = string
    default     = null
    sensitive   = true
    description = "what clients must give; made once when null or empty"
  }

  # What the inventory must have. It is said before any host is touched.
  check "network" {
    condition     = length(networks) > 0
    error_message = "The members need an overlay network: write a `network` block."
  }

  # A Docker secret, and a Docker config from a template beside this file. Each
  # is named after its content, so that a change of it rolls the members.
  secret "password" {
    value    = input.password
    generate = 32
    format   = "userlist clients\n  user hello insecure-password '%s'\n"
  }

  config "hello.cfg" { file = "hello.cfg" }

  # hello-01 and so on: members with a name, a disk and a host of their own.
  slots "hello" { count = input.members }

  stack { file = "stack.yml" }

  requires {
    memory = 64  # MiB that a host must have for a member
    disk   = 256 # MiB free
  }

  port "http" {
    number = 8080
    from   = "clients"
    note   = "the greeting"
  }

  # A member that was started or changed must pass this before the next one goes.
  # `rmqprov verify` and `status` ask it too.
  gate "answers" {
    exec = ["bash", "-c", <<-EOT
      exec 3<> /dev/tcp/127.0.0.1/8080 || exit 1
      printf 'GET / HTTP/1.0\r\n\r\n' >&3
      read -r -t 5 -u 3 protocol status said
      echo "$status $said"
      test "$status" = 401
    EOT
    ]
    on     = "slot"
    within = "1m"
    note   = "the member answers, and wants a password"
  }

  # What a member does before it is stopped; where it fails, it stays. Here is the
  # place to hand work over. slot.name is the member.
  before "stop" {
    name = "farewell"
    exec = ["echo", "${slot.name} is about to stop"]
  }
}
