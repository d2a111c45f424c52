package inventory

// synonyms are names that other programs give to arguments, and ours. They are
// for diagnostics only.
var synonyms = map[string]string{
	"ip": "address", "addr": "address", "ip_address": "address", "public_ip": "address", "hostname": "address", "fqdn": "address", "ansible_host": "address",
	"private_ip": "private", "private_address": "private", "advertise": "private", "advertise_addr": "private",
	"manager": "role", "worker": "role", "az": "zone", "availability_zone": "zone", "tags": "labels", "node_labels": "labels", "vars": "inputs",
	"username": "user", "login": "user", "ansible_user": "user", "ssh_user": "user", "ssh_port": "port", "ansible_port": "port",
	"key": "identity", "key_file": "identity", "private_key": "identity", "ssh_key": "identity", "identity_file": "identity", "pem": "identity",
	"bastion": "jump", "jump_host": "jump", "proxy_jump": "jump", "proxy": "jump",
	"password": "sudo_password", "become_pass": "sudo_password", "become_password": "sudo_password", "sudo_pass": "sudo_password",
	"timeout": "dial_timeout", "connect_timeout": "dial_timeout", "host_key_checking": "host_keys", "strict_host_key_checking": "host_keys",
	"cidr": "subnet", "cidr_block": "subnet", "range": "subnet", "encryption": "encrypted",
	"context": "build", "dockerfile": "build", "template": "playbook", "role_name": "playbook", "variables": "inputs", "parameters": "inputs", "values": "inputs",
	"compose_file": "compose", "stack_file": "compose", "requires": "depends_on", "needs": "depends_on", "after": "depends_on", "dependencies": "depends_on",
	"mirrors": "registry_mirrors", "mirror": "registry_mirrors", "daemon_json": "settings", "options": "settings",
	"dest": "path", "destination": "path", "target": "path", "src": "source", "text": "content", "permissions": "mode", "chmod": "mode",
	"value": "default", "desc": "description", "secret": "sensitive",
}

// blockSynonyms are the same for blocks.
var blockSynonyms = map[string]string{
	"node": "host", "server": "host", "machine": "host", "instance": "host", "var": "variable", "service": "stack", "app": "stack",
	"build": "image", "dockerfile": "image", "firewall": "security_group", "connection": "ssh", "engine": "docker", "ec2": "discover", "template": "file",
}

// terraform are its blocks, which an inventory has no use for.
var terraform = []string{"terraform", "provider", "resource", "data", "module", "output", "dynamic", "lifecycle", "moved", "import"}
