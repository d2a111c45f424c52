cluster "c" {}
host "a" { address = "10.0.0.1" }
network "prod" { subnet = "10.0.1.0/24" }
stack "objects" { playbook = "./pb/objects" }
stack "envvar" { playbook = "./pb/envvar" }
stack "image" { playbook = "./pb/image" }
stack "slotless" { playbook = "./pb/slotless" }
