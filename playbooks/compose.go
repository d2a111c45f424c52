package playbooks

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	composeconvert "github.com/docker/cli/cli/compose/convert"
	"github.com/docker/cli/cli/compose/interpolation"
	"github.com/docker/cli/cli/compose/loader"
	"github.com/docker/cli/cli/compose/template"
	"github.com/docker/cli/cli/compose/types"
	"github.com/hashicorp/hcl/v2"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"
	"go.yaml.in/yaml/v3"
)

// clusterLabel is on everything that rmqprov makes.
const clusterLabel = "rmqprov.cluster"

// bindCompose renders the compose file and turns it into service specs by the
// code that `docker stack deploy` uses.
func (b *binder) bindCompose() {
	name := b.textOr(b.playbook.Stack.File, "file", "stack.yml")
	text, ok := b.render(name, b.playbook.Stack.DefRange)
	if !ok {
		return
	}
	file := b.newComposeFile(name, []byte(text))
	config, err := file.load()
	if err != nil {
		b.composeError(file, err)
		return
	}
	b.checkObjects(file, config)
	if b.diags.HasErrors() {
		return
	}
	b.label(config)
	if err := b.convertServices(file, config); err != nil {
		b.composeError(file, err)
		return
	}
	b.lint(file, config)
	b.stack.Files = append(b.stack.Files, Rendered{Name: "stack.yml", Content: file.text})
	for _, c := range b.stack.Configs {
		b.stack.Files = append(b.stack.Files, Rendered{Name: c.Name, Content: c.Content})
	}
}

// composeFile is a rendered compose file with the places of its services.
type composeFile struct {
	name  string // as diagnostics call it
	text  []byte
	dir   string // where relative paths in it start
	order []string
	lines map[string]int // service → line
}

// newComposeFile makes the rendered text printable in diagnostics: the lines
// of the template are others as soon as it holds a loop.
func (b *binder) newComposeFile(name string, text []byte) *composeFile {
	b.folder.keep(name+" (rendered)", text)
	f := &composeFile{name: b.folder.path(name + " (rendered)"), text: text, dir: filepath.Join(b.folder.dir, filepath.Dir(name)), lines: map[string]int{}}
	var doc struct {
		Services yaml.Node `yaml:"services"`
	}
	if yaml.Unmarshal(text, &doc) != nil {
		return f // load reports it
	}
	for i := 0; i+1 < len(doc.Services.Content); i += 2 {
		key := doc.Services.Content[i]
		f.order = append(f.order, key.Value)
		f.lines[key.Value] = key.Line
	}
	return f
}

// at is the range of a whole line, or of the file's first.
func (f *composeFile) at(line int) hcl.Range {
	line = max(line, 1)
	lines := bytes.SplitAfter(f.text, []byte("\n"))
	start := 0
	for _, l := range lines[:min(line-1, len(lines))] {
		start += len(l)
	}
	width := 0
	if line <= len(lines) {
		width = len(bytes.TrimRight(lines[line-1], "\n"))
	}
	return hcl.Range{
		Filename: f.name,
		Start:    hcl.Pos{Line: line, Column: 1, Byte: start},
		End:      hcl.Pos{Line: line, Column: 1 + width, Byte: start + width},
	}
}

// atService is the line of a service's name.
func (f *composeFile) atService(name string) hcl.Range { return f.at(f.lines[name]) }

func (f *composeFile) load() (*types.Config, error) {
	tree, err := loader.ParseYAML(f.text)
	if err != nil {
		return nil, err
	}
	details := types.ConfigDetails{WorkingDir: f.dir, ConfigFiles: []types.ConfigFile{{Filename: f.name, Config: tree}}}
	config, err := loader.Load(details, func(o *loader.Options) { o.Interpolate = noEnvironment(o.Interpolate) })
	if err != nil {
		return nil, err
	}
	for _, svc := range config.Services {
		if _, err := reference.ParseAnyReference(svc.Image); err != nil {
			return nil, fmt.Errorf("services.%s.image %q: %w", svc.Name, svc.Image, err)
		}
	}
	return config, nil
}

var plainVariable = regexp.MustCompile(`(?:^|[^$])(?:\$\$)*\$(?:\{([_a-zA-Z][_a-zA-Z0-9]*)\}|([_a-zA-Z][_a-zA-Z0-9]*))`)

// noEnvironment keeps compose's own ${…} working with an empty environment,
// and makes a variable without a default an error, where compose would quietly
// put in nothing: an inventory must mean the same on every machine.
func noEnvironment(o *interpolation.Options) *interpolation.Options {
	strict := *o
	strict.LookupValue = func(string) (string, bool) { return "", false }
	strict.Substitute = func(text string, lookup template.Mapping) (string, error) {
		if m := plainVariable.FindStringSubmatch(text); m != nil {
			return "", fmt.Errorf("the variable $%s is not set: pass it as an input and write ${input.…}, or $$ for a dollar", m[1]+m[2])
		}
		return template.Substitute(text, lookup)
	}
	return &strict
}

var yamlLine = regexp.MustCompile(`line (\d+):`)

// composeError shows what the compose code says at the line that it means, as
// far as that can be told.
func (b *binder) composeError(f *composeFile, err error) {
	at := f.at(1)
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1])
		at = f.at(line)
	}
	for _, name := range f.order {
		if strings.Contains(err.Error(), "services."+name) || strings.Contains(err.Error(), "service "+name+":") {
			at = f.atService(name)
		}
	}
	b.fail(at, "Compose file refused", "%s: %v.", f.name, err)
}

// checkObjects sees to it that the stack lives on what the inventory and the
// playbook make: networks of the inventory, configs and secrets by name.
func (b *binder) checkObjects(f *composeFile, c *types.Config) {
	var known []string
	for _, n := range b.inv.Networks {
		known = append(known, n.Name)
	}
	for _, key := range sortedKeys(c.Networks) {
		n := c.Networks[key]
		name := cmp.Or(n.Name, key)
		switch {
		case !n.External.External:
			b.fail(f.at(1), "A network of its own", "The network %q must be `external: true`: overlay networks are made by the inventory's `network` blocks.", key)
		case !slices.Contains(known, name) && name != "host" && name != "none" && name != "bridge":
			b.fail(f.at(1), "Unknown network", "The inventory has no network %q.%s", name, didYouMean(name, known))
		}
	}
	for _, svc := range c.Services {
		if len(svc.Networks) == 0 {
			b.fail(f.atService(svc.Name), "A service without a network", "The service %q joins no network; name one of the inventory's, such as ${networks[0].name}.", svc.Name)
		}
	}
	for _, key := range sortedKeys(c.Configs) {
		if !c.Configs[key].External.External {
			b.fail(f.at(1), "A config of its own", "The config %q must be `external: true` with `name: ${config.%s.name}`, and a `config` block of the playbook names its file.", key, key)
		}
	}
	for _, key := range sortedKeys(c.Secrets) {
		if !c.Secrets[key].External.External {
			b.fail(f.at(1), "A secret of its own", "The secret %q must be `external: true` with `name: ${secret.%s.name}`, and a `secret` block of the playbook says where its value comes from.", key, key)
		}
	}
}

// label marks services and volumes as the cluster's. The embedded playbooks
// say so in their files too, so that a deploy by hand makes the same.
func (b *binder) label(c *types.Config) {
	for i := range c.Services {
		d := &c.Services[i].Deploy
		d.Labels = withLabel(d.Labels, b.inv.Cluster.Name)
	}
	for key, v := range c.Volumes {
		if !v.External.External {
			v.Labels = withLabel(v.Labels, b.inv.Cluster.Name)
			c.Volumes[key] = v
		}
	}
}

func withLabel(labels types.Labels, cluster string) types.Labels {
	labels = maps.Clone(labels)
	if labels == nil {
		labels = types.Labels{}
	}
	labels[clusterLabel] = cluster
	return labels
}

// convertServices fills Services, slots first and then as the file has them,
// and Networks.
func (b *binder) convertServices(f *composeFile, c *types.Config) error {
	specs, err := composeconvert.Services(context.Background(), composeconvert.NewNamespace(b.stack.Name), c, namesAsIDs{})
	if err != nil {
		return err
	}
	slots := map[string]bool{}
	var order []string
	for _, set := range b.stack.Slots {
		for _, name := range set.Names {
			slots[name] = true
			order = append(order, name)
		}
	}
	for _, name := range f.order {
		if !slots[name] {
			order = append(order, name)
		}
	}
	for _, name := range order {
		spec, ok := specs[name]
		if !ok {
			continue // checkReferences says so
		}
		svc := Service{Name: spec.Name, Spec: spec}
		if slots[name] {
			svc.Slot = name
		}
		b.stack.Services = append(b.stack.Services, svc)
	}
	b.stack.Networks = b.overlays()
	return nil
}

// overlays are the inventory's networks that the services join, sorted.
func (b *binder) overlays() []string {
	var joined []string
	for _, n := range b.inv.Networks {
		if slices.ContainsFunc(b.stack.Services, func(s Service) bool {
			return slices.ContainsFunc(s.Spec.TaskTemplate.Networks, func(a swarm.NetworkAttachmentConfig) bool { return a.Target == n.Name })
		}) {
			joined = append(joined, n.Name)
		}
	}
	slices.Sort(joined)
	return joined
}

// namesAsIDs answers the compose code's only questions, the ids of configs and
// secrets, with their names: real ids are filled in when a service is made.
// Any other question is a nil dereference on purpose; nothing here may ask a
// Docker engine.
type namesAsIDs struct{ client.APIClient }

// SecretList answers with a secret for every name that is asked for.
func (namesAsIDs) SecretList(_ context.Context, o client.SecretListOptions) (client.SecretListResult, error) {
	var r client.SecretListResult
	for name := range o.Filters["name"] {
		r.Items = append(r.Items, swarm.Secret{ID: name, Spec: swarm.SecretSpec{Annotations: swarm.Annotations{Name: name}}})
	}
	return r, nil
}

// ConfigList answers with a config for every name that is asked for.
func (namesAsIDs) ConfigList(_ context.Context, o client.ConfigListOptions) (client.ConfigListResult, error) {
	var r client.ConfigListResult
	for name := range o.Filters["name"] {
		r.Items = append(r.Items, swarm.Config{ID: name, Spec: swarm.ConfigSpec{Annotations: swarm.Annotations{Name: name}}})
	}
	return r, nil
}
