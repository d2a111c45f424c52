package playbooks

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/docker/cli/cli/compose/types"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/rmqprov/rmqprov/inventory"
)

// bindPlain makes a stack of a compose file that stands alone, as `docker stack
// deploy` takes it: no template, its own ${…} filled from the stack's inputs,
// with configs and secrets from files and networks of its own.
func bindPlain(inv *inventory.Inventory, want inventory.Stack) (Stack, hcl.Diagnostics) {
	f, name := plainFolder(want.Compose, inv.Dir)
	b := &binder{inv: inv, want: want, folder: f, names: map[string]cty.Value{}}
	b.stack = Stack{Name: want.Name, Playbook: want.Compose, DependsOn: slices.Clone(want.DependsOn), Form: FormTogether, Range: want.Range}
	src, err := f.read(name)
	if err != nil {
		b.fail(want.Range, "No such compose file", "%s cannot be read: %v. The path of compose starts from the inventory's folder.", filepath.Join(f.dir, name), err)
		return b.stack, b.diags
	}
	b.bindPlainFile(b.newComposeFile(name, name, src))
	return b.stack, f.attach(b.diags)
}

// plainFolder is the folder of a compose file, and the file's name in it.
func plainFolder(compose, dir string) (*folder, string) {
	place := compose
	if !filepath.IsAbs(place) {
		place = filepath.Join(dir, place)
	}
	at := filepath.Dir(place)
	return &folder{fs: os.DirFS(at), shown: filepath.Dir(compose), dir: at, files: map[string]*hcl.File{}}, filepath.Base(place)
}

// bindPlainFile is bindCompose for a file that stands alone.
func (b *binder) bindPlainFile(file *composeFile) {
	variables := b.variables(file)
	if b.diags.HasErrors() {
		return
	}
	config, err := file.load(variables)
	if err != nil {
		b.composeError(file, err)
		return
	}
	b.ownNetworks(file, config)
	b.ownConfigs(file, config)
	b.ownSecrets(file, config)
	b.checkMounts(file, config)
	b.checkDeploy(file, config)
	if b.diags.HasErrors() {
		return
	}
	b.label(config)
	if err := b.convertServices(file, config); err != nil {
		b.composeError(file, err)
		return
	}
	for _, n := range b.stack.Own {
		b.stack.Networks = append(b.stack.Networks, n.Name)
	}
	b.publish()
	b.lintIgnored(file)
	b.stack.Files = append([]Rendered{{Name: "stack.yml", Content: file.text}}, b.stack.Files...)
}

// variables are the inputs of the stack: what the file's ${…} stand for.
func (b *binder) variables(file *composeFile) map[string]string {
	values := map[string]string{}
	for _, name := range sortedKeys(b.want.Inputs) {
		in := b.want.Inputs[name]
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).Match(file.text) {
			b.fail(in.Range, "Unknown input", "The inputs of a compose file are its variables, and %s has no ${%s}.", file.name, name)
			continue
		}
		if sensitive(in.Value) {
			b.fail(in.Range, "A sensitive value in the open", "A variable of a compose file is shown in plans and by `docker service inspect`. Put the value into a file, and the file into the secrets: of %s.", file.name)
			continue
		}
		text, err := convert.Convert(in.Value, cty.String)
		if err != nil || isNull(text) {
			b.fail(in.Range, "Wrong type of input", "The variable %s of a compose file is a text, a number, true or false.", name)
			continue
		}
		values[name] = text.AsString()
	}
	return values
}

// ownNetworks takes the networks that the services join: the inventory's by
// name, and the stack's own, which are made as `docker stack deploy` makes them.
func (b *binder) ownNetworks(f *composeFile, c *types.Config) {
	if c.Networks == nil {
		c.Networks = map[string]types.NetworkConfig{}
	}
	for _, key := range b.joined(c) {
		n := c.Networks[key]
		name, at := cmp.Or(n.Name, b.want.Name+"_"+key), f.at(f.lines["networks."+key])
		if n.External.External {
			b.checkNetwork(at, cmp.Or(n.Name, key))
			continue
		}
		if n.Driver != "" && n.Driver != "overlay" || len(n.DriverOpts) > 0 || len(n.Ipam.Config) > 0 || n.Ipam.Driver != "" || n.Internal {
			b.fail(at, "A network with settings", "Of its own network %q a stack says no more than attachable. With a subnet, options or encryption it is the inventory's: write network %q { … } there, and external: true here.", key, key)
			continue
		}
		if slices.ContainsFunc(b.inv.Networks, func(other inventory.Network) bool { return other.Name == name }) {
			b.fail(at, "A network twice", "The inventory has the network %q. Write external: true, or give this one another name.", name)
			continue
		}
		b.stack.Own = append(b.stack.Own, Network{Name: name, Attachable: n.Attachable})
	}
}

// joined are the networks that services join, by their names in the file. One
// that names none joins "default".
func (b *binder) joined(c *types.Config) []string {
	keys := map[string]bool{}
	for _, svc := range c.Services {
		for key := range svc.Networks {
			keys[key] = true
		}
		if len(svc.Networks) == 0 {
			keys["default"] = true
		}
	}
	return slices.DeleteFunc(sortedKeys(keys), func(key string) bool {
		_, declared := c.Networks[key]
		return !declared && key != "default" // the conversion says so
	})
}

// checkNetwork holds that a network from outside is one of the inventory's, or
// Docker's own.
func (b *binder) checkNetwork(at hcl.Range, name string) {
	var known []string
	for _, n := range b.inv.Networks {
		known = append(known, n.Name)
	}
	if !slices.Contains(known, name) && name != "host" && name != "none" && name != "bridge" {
		b.fail(at, "Unknown network", "The inventory has no network %q.%s", name, didYouMean(name, known))
	}
}

// maxConfig and maxSecret are what the swarm takes, in bytes (swarmkit,
// manager/controlapi).
const (
	maxConfig = 1000 << 10
	maxSecret = 500 << 10
)

// ownConfigs makes Docker configs of the files, named after their content:
// a change of one is then a new config, and rolls the service.
func (b *binder) ownConfigs(f *composeFile, c *types.Config) {
	for _, key := range sortedKeys(c.Configs) {
		config := c.Configs[key]
		content, ok := b.ownFile(f, "configs."+key, types.FileObjectConfig(config), maxConfig)
		if !ok {
			continue
		}
		config.Name = objectName(b.want.Name, cmp.Or(config.Name, key), shortHash(content))
		c.Configs[key] = config
		b.stack.Configs = append(b.stack.Configs, Config{Name: key, Object: config.Name, Content: content})
		b.stack.Files = append(b.stack.Files, Rendered{Name: "configs/" + key, Content: content})
	}
}

func (b *binder) ownSecrets(f *composeFile, c *types.Config) {
	for _, key := range sortedKeys(c.Secrets) {
		secret := c.Secrets[key]
		content, ok := b.ownFile(f, "secrets."+key, types.FileObjectConfig(secret), maxSecret)
		if !ok {
			continue
		}
		name := cmp.Or(secret.Name, key)
		secret.Name = objectName(b.want.Name, name, slowHash(b.inv.Cluster.Name+"/"+b.want.Name+"/"+name+"/", string(content)))
		c.Secrets[key] = secret
		b.stack.Secrets = append(b.stack.Secrets, Secret{Name: key, Value: string(content), Encoding: "alphanumeric", Objects: []SecretObject{{Object: secret.Name}}})
	}
}

// ownFile reads the file of a config or secret. It is not ok where there is
// none to read, because it is external or because of a mistake, which is then
// reported.
func (b *binder) ownFile(f *composeFile, path string, o types.FileObjectConfig, limit int) ([]byte, bool) {
	at := f.at(f.lines[path])
	kind, key, _ := strings.Cut(path, ".")
	switch {
	case o.External.External:
		return nil, false
	case o.Driver != "" || o.TemplateDriver != "":
		b.fail(at, "A driver", "driver and template_driver are not supported here: name a file.")
		return nil, false
	case strings.Trim(key, ".") == "":
		b.fail(at, "Wrong name", "%q is no name.", key)
		return nil, false
	}
	content, err := os.ReadFile(o.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.fail(at, "File missing", "There is no file %s. Paths start from the compose file's folder.", o.File)
	case err != nil:
		b.fail(at, "File unreadable", "%v.", err)
	case len(content) == 0 || len(content) > limit:
		b.fail(at, "Wrong size", "%s has %d bytes, and Docker %s have 1 to %d.", o.File, len(content), kind, limit)
	default:
		return content, true
	}
	return nil, false
}

// checkMounts refuses folders of this machine: the hosts do not have them.
func (b *binder) checkMounts(f *composeFile, c *types.Config) {
	for _, svc := range c.Services {
		for i := range svc.Volumes {
			path := fmt.Sprintf("services.%s.volumes.%d", svc.Name, i)
			at := f.at(cmp.Or(f.lines[path+".source"], f.lines[path]))
			if m := relativeMount.FindSubmatch(at.SliceBytes(f.text)); m != nil && svc.Volumes[i].Type == "bind" {
				b.fail(at, "A folder of this machine", "%s is here, and not on the hosts. Small files go into configs:, data into a volume with a name; what the hosts have is written with its absolute path there.", m[1])
			}
		}
	}
}

// checkDeploy refuses services that never run for good: there is nothing to wait
// for.
func (b *binder) checkDeploy(f *composeFile, c *types.Config) {
	for _, svc := range c.Services {
		path := "services." + svc.Name
		if m := svc.Deploy.Mode; m != "" && m != "replicated" && m != "global" {
			b.fail(f.at(cmp.Or(f.lines[path+".deploy.mode"], f.lines[path])), "A job", "A service of mode %q ends when its work is done, and a stack is what goes on. Run it by hand, or in a hook of a playbook.", m)
		}
		if n := svc.Deploy.Replicas; n != nil && *n == 0 {
			b.fail(f.at(cmp.Or(f.lines[path+".deploy.replicas"], f.lines[path])), "No replicas", "With replicas: 0 nothing of the service %q would run. Leave it out of the file.", svc.Name)
		}
	}
}

// relativeMount is the source of a mount that starts in a folder of this machine.
var relativeMount = regexp.MustCompile(`(?:-|source:|src=)\s*["']?((?:\.{1,2}|~)(?:/[^:"']*)?)`)

// publish notes the ports that the services publish. Publishing is for clients:
// what is not for them stays within the networks.
func (b *binder) publish() {
	seen := map[string]bool{}
	for _, svc := range b.stack.Services {
		if svc.Spec.EndpointSpec == nil {
			continue
		}
		for _, p := range svc.Spec.EndpointSpec.Ports {
			name := fmt.Sprintf("%s-%d", strings.TrimPrefix(svc.Name, b.stack.Name+"_"), p.PublishedPort)
			if p.PublishedPort == 0 || seen[name+string(p.Protocol)] || p.Protocol != "tcp" && p.Protocol != "udp" {
				continue
			}
			seen[name+string(p.Protocol)] = true
			b.stack.Ports = append(b.stack.Ports, Port{
				Name: name, Number: int(p.PublishedPort), Protocol: string(p.Protocol), From: "clients", Note: "published by " + svc.Name,
			})
		}
	}
}
