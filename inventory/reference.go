package inventory

import "slices"

// BlockDoc says what a block of an inventory is.
type BlockDoc struct {
	Name   string
	Form   string // how it is written: host "node-1" { … }
	Single bool   // at most one in an inventory
	Note   string
	Args   []ArgDoc   // in the order in which they are listed to the user
	Blocks []BlockDoc // within it
}

// ArgDoc says what an argument is. A type that ends in "required" must be
// written; Default is what holds where it is not, "" where that is nothing.
type ArgDoc struct {
	Name, Type, Default, Note string
}

// Reference describes all blocks and arguments that Load knows.
func Reference() []BlockDoc { return describeKinds(kinds, "") }

func describeKinds(kinds []*kind, holder string) []BlockDoc {
	var docs []BlockDoc
	for _, k := range kinds {
		path := holder + k.name
		doc := BlockDoc{Name: k.name, Form: k.form(), Single: k.single, Note: blockNotes[path], Blocks: describeKinds(k.blocks, path+".")}
		for _, arg := range k.args {
			note := argNotes[path+"."+arg]
			note.Name = arg
			doc.Args = append(doc.Args, note)
		}
		docs = append(docs, doc)
	}
	return docs
}

// undocumented lists the blocks and arguments without a note, and the notes of
// what there is not.
func undocumented() (missing, idle []string) {
	seen := map[string]bool{}
	var visit func(kinds []*kind, holder string)
	visit = func(kinds []*kind, holder string) {
		for _, k := range kinds {
			path := holder + k.name
			if seen[path] = true; blockNotes[path] == "" {
				missing = append(missing, path)
			}
			for _, arg := range k.args {
				if seen[path+"."+arg] = true; argNotes[path+"."+arg].Note == "" {
					missing = append(missing, path+"."+arg)
				}
			}
			visit(k.blocks, path+".")
		}
	}
	visit(kinds, "")
	for _, name := range slices.Concat(sortedKeys(blockNotes), sortedKeys(argNotes)) {
		if !seen[name] {
			idle = append(idle, name)
		}
	}
	return missing, idle
}

var blockNotes = map[string]string{
	"variable":            "A value that comes from outside: by `--var NAME=VALUE`, `--var-file FILE` or `RMQPROV_VAR_NAME` in the environment, the earlier of these the stronger. It is written `var.NAME`.",
	"variable.validation": "A demand on the value. There may be several.",
	"locals":              "Values with names: any argument, written `local.NAME`.",
	"cluster":             "What belongs together. The name marks on hosts, in the swarm and in EC2 what rmqprov made.",
	"ssh":                 "How hosts are reached. What is left out comes from `~/.ssh/config`, then from OpenSSH's defaults.",
	"host":                "One machine. The name is what its slots and labels hang on.",
	"discover":            "Hosts that are found in EC2. Several blocks add up.",
	"security_group":      "The EC2 security group that rmqprov keeps for the hosts. Without the block it touches none.",
	"docker":              "What every host's Docker Engine is. Keys of `daemon.json` that are not named here stay as they are.",
	"swarm":               "What can be chosen only when the swarm begins.",
	"network":             "An overlay network between the stacks.",
	"image":               "An image that is built on one host from a folder, and handed to the others.",
	"stack":               "A playbook put to use, or a compose file alone.",
	"file":                "A file on the hosts.",
}

var argNotes = map[string]ArgDoc{
	"variable.default":                  {Type: "any", Note: "What it is where nothing is given. Without a default, a value must be given."},
	"variable.type":                     {Type: "a type", Default: "any", Note: "`string`, `number`, `bool`, `list(string)`, `map(string)`, `object({ … })` and so on."},
	"variable.sensitive":                {Type: "bool", Default: "false", Note: "The value is never printed, and refused where it could be read on a host."},
	"variable.description":              {Type: "string", Note: "For people."},
	"variable.validation.condition":     {Type: "bool, required", Note: "What must hold, of `var.NAME`."},
	"variable.validation.error_message": {Type: "string, required", Note: "What is said where it does not."},

	"cluster.region": {Type: "string", Default: "the AWS SDK's own chain", Note: "The region of EC2."},

	"ssh.user":             {Type: "string", Note: "Who logs in. It needs sudo."},
	"ssh.port":             {Type: "number", Default: "22", Note: "Where sshd listens."},
	"ssh.identity":         {Type: "path", Default: "the agent, then the default keys", Note: "A file with a private key; or with a public one, whose private key the agent holds."},
	"ssh.host_keys":        {Type: "string", Default: "`\"known_hosts\"`", Note: "Which hosts are believed: `\"known_hosts\"`: those whose key is in the file; `\"accept-new\"`: also those that were never seen; `\"ec2\"`: those whose key is on the instance's console."},
	"ssh.known_hosts":      {Type: "path", Default: "`~/.ssh/known_hosts`", Note: "The file with the hosts' keys. With `host_keys = \"ec2\"` it is `~/.config/rmqprov/CLUSTER/known_hosts`."},
	"ssh.jump":             {Type: "string", Note: "`[user@]host[:port]` of a bastion, or several with commas between, passed in turn."},
	"ssh.config":           {Type: "path", Default: "`~/.ssh/config`", Note: "An ssh_config file."},
	"ssh.sudo_password":    {Type: "string", Note: "For hosts whose sudo asks for one. It may be sensitive."},
	"ssh.dial_timeout":     {Type: "duration", Default: "`\"10s\"`", Note: "How long a host may take to let rmqprov log in."},
	"ssh.instance_connect": {Type: "bool", Default: "false", Note: "Logs in by EC2 Instance Connect, with a key made for each login. `user` must be written."},

	"host.address":     {Type: "string, required", Note: "Where SSH reaches it: an IP address or a name."},
	"host.private":     {Type: "IP address", Default: "found on the host", Note: "What the swarm advertises."},
	"host.role":        {Type: "string", Note: "`\"manager\"` or `\"worker\"`. Where no host has a role, the first five are managers; of four hosts three, and of two one."},
	"host.zone":        {Type: "string", Note: "The availability zone: members are spread over them."},
	"host.instance_id": {Type: "string", Note: "The EC2 instance that it is; needed by `security_group`, `host_keys = \"ec2\"` and `instance_connect`."},
	"host.type":        {Type: "string", Note: "The instance type."},
	"host.labels":      {Type: "map of strings", Note: "Labels of the swarm node."},
	"host.user":        {Type: "string", Default: "as in `ssh`", Note: "Who logs in."},
	"host.port":        {Type: "number", Default: "as in `ssh`", Note: "Where sshd listens."},
	"host.identity":    {Type: "path", Default: "as in `ssh`", Note: "A file with a private key."},
	"host.jump":        {Type: "string", Default: "as in `ssh`", Note: "A bastion."},

	"discover.filters": {Type: "map, required", Note: "Filters of DescribeInstances, such as `{ \"tag:Cluster\" = \"rmq\" }`. A value is a string, or a list of which one must match."},
	"discover.region":  {Type: "string", Default: "the cluster's", Note: "Where to look."},
	"discover.address": {Type: "string", Default: "`\"private\"`", Note: "Which address SSH goes to: `\"private\"`, `\"public\"` or `\"ipv6\"`."},

	"security_group.clients":   {Type: "list of CIDRs", Note: "Who reaches what the stacks publish to clients."},
	"security_group.operators": {Type: "list of CIDRs", Note: "Who reaches the consoles and SSH."},
	"security_group.adopt":     {Type: "string", Note: "The id of a group that exists, in place of one that rmqprov makes."},

	"docker.registry_mirrors":    {Type: "list of URLs", Note: "Mirrors of Docker Hub."},
	"docker.insecure_registries": {Type: "list of strings", Note: "Registries without TLS, as `HOST:PORT`, or CIDRs of them."},
	"docker.log_max_size":        {Type: "string", Default: "`\"50m\"`", Note: "How large a container's log grows before a new file is begun."},
	"docker.log_max_file":        {Type: "number", Default: "3", Note: "How many such files are kept."},
	"docker.settings":            {Type: "map", Note: "Further keys of `daemon.json`."},

	"swarm.address_pools":  {Type: "list of CIDRs", Default: "one that avoids the hosts' own networks", Note: "Where networks without a subnet get theirs."},
	"swarm.subnet_size":    {Type: "number", Default: "24", Note: "The prefix length of such a subnet, 16 to 28."},
	"swarm.data_path_port": {Type: "number", Default: "4789", Note: "The UDP port of the traffic between hosts, 1024 to 49151."},

	"network.subnet":     {Type: "CIDR", Default: "one of the swarm's pools", Note: "It must be outside of the hosts' own networks."},
	"network.mtu":        {Type: "number", Default: "Docker's", Note: "The largest packet, 576 to 9216."},
	"network.attachable": {Type: "bool", Default: "false", Note: "A container that was started by hand may join."},
	"network.encrypted":  {Type: "bool", Default: "false", Note: "IPsec between the hosts. It needs IP protocol 50 between them."},

	"image.build": {Type: "path, required", Note: "A folder with a Dockerfile. `image.NAME` is the reference of what is built of it, and `image: NAME` in a compose file means the same."},

	"stack.playbook":   {Type: "string", Note: "A playbook that rmqprov carries, or a folder that begins with `./`, `../` or `/`. One of `playbook` and `compose` is written."},
	"stack.compose":    {Type: "path", Note: "A compose file that stands alone."},
	"stack.inputs":     {Type: "map", Note: "What the playbook takes: `rmqprov playbook show NAME`; of a compose file its variables."},
	"stack.depends_on": {Type: "list of stacks", Note: "`[stack.consul]`: it waits until the gates of these hold."},

	"file.path":    {Type: "string, required", Note: "Where it goes, absolute."},
	"file.source":  {Type: "path", Note: "The file here that it is a copy of. One of `source` and `content` is written."},
	"file.content": {Type: "string", Note: "The text itself. It may be sensitive."},
	"file.hosts":   {Type: "list of hosts", Default: "all", Note: "`[\"node-1\"]`, or `[host[\"node-1\"]]`."},
	"file.mode":    {Type: "string", Default: "`\"0644\"`", Note: "The permissions, in octal digits."},
	"file.owner":   {Type: "string", Default: "`\"root\"`", Note: "A name or number."},
	"file.group":   {Type: "string", Default: "`\"root\"`", Note: "A name or number."},
	"file.restart": {Type: "list of strings", Note: "systemd units that are restarted when the file changes."},
}
