[managers]
node-1 ansible_host=10.0.0.11
node-2 ansible_host=10.0.0.12
