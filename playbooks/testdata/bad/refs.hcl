cluster "c" {}
host "a" { address = "10.0.0.1" }
network "prod" { subnet = "10.0.1.0/24" }
stack "refs" { playbook = "./pb/refs" }
