cluster "c" {}
host "a" { address = "10.0.0.1" }
host "b" { address = "10.0.0.2" }
host "c" { address = "10.0.0.3" }
network "prod" { subnet = "10.0.1.0/24" }
stack "one" { playbook = "haproxy" }
stack "two" { playbook = "haproxy" }
