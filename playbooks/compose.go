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
	"unicode"

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
	file := b.newComposeFile(name, name+" (rendered)", []byte(text))
	config, err := file.load(nil)
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
	name   string // as diagnostics call it
	text   []byte
	dir    string                   // where relative paths in it start
	images func(name string) string // the reference of an image that the inventory builds; any other name as it is
	order  []string                 // services
	lines  map[string]int           // "services.web", "services.web.ports.0" → line
}

// newComposeFile makes the text printable in diagnostics. A rendered one is
// shown by a name of its own: the lines of the template are others as soon as
// it holds a loop.
func (b *binder) newComposeFile(name, shown string, text []byte) *composeFile {
	b.folder.keep(shown, text)
	f := &composeFile{name: b.folder.path(shown), text: text, dir: filepath.Join(b.folder.dir, filepath.Dir(name)), lines: map[string]int{}, images: b.builtImage}
	var doc map[string]yaml.Node
	if yaml.Unmarshal(text, &doc) != nil {
		return f // load reports it
	}
	for _, section := range []string{"services", "networks", "volumes", "configs", "secrets"} {
		node := doc[section]
		f.index(section, &node)
	}
	services := doc["services"].Content
	for i := 0; i+1 < len(services); i += 2 {
		f.order = append(f.order, services[i].Value)
	}
	return f
}

// builtImage is the reference of an image that the inventory builds, by its name
// alone; any other name stays as it is.
func (b *binder) builtImage(name string) string {
	for _, im := range b.inv.Images {
		if im.Name == name && im.Ref != "" {
			return im.Ref
		}
	}
	return name
}

// index notes the lines of all that is in a node, by path.
func (f *composeFile) index(path string, node *yaml.Node) {
	for i, inner := range node.Content {
		switch {
		case node.Kind == yaml.SequenceNode:
			at := fmt.Sprintf("%s.%d", path, i)
			f.lines[at] = inner.Line
			f.index(at, inner)
		case node.Kind == yaml.MappingNode && i%2 == 1:
			at := path + "." + node.Content[i-1].Value
			f.lines[at] = node.Content[i-1].Line
			f.index(at, inner)
		}
	}
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
func (f *composeFile) atService(name string) hcl.Range { return f.at(f.lines["services."+name]) }

// load reads the file. The variables are what its own ${…} mean; nil: it has
// none but those with a default.
func (f *composeFile) load(variables map[string]string) (*types.Config, error) {
	tree, err := loader.ParseYAML(f.text)
	if err != nil {
		return nil, err
	}
	details := types.ConfigDetails{WorkingDir: f.dir, ConfigFiles: []types.ConfigFile{{Filename: f.name, Config: tree}}, Environment: variables}
	config, err := loader.Load(details, func(o *loader.Options) { o.Interpolate = noEnvironment(o.Interpolate, variables) })
	if err != nil {
		return nil, err
	}
	// The loader goes through maps: without this, what is said first would differ from run to run.
	slices.SortFunc(config.Services, func(x, y types.ServiceConfig) int { return f.lines["services."+x.Name] - f.lines["services."+y.Name] })
	for i, svc := range config.Services {
		if svc.Image == "" {
			return nil, fmt.Errorf("services.%s has no image: swarm builds none. Write image %[1]q { build = \"./%[1]s\" } in the inventory and image: %[1]s here, or name one of a registry", svc.Name)
		}
		if _, err := reference.ParseAnyReference(svc.Image); err != nil {
			return nil, fmt.Errorf("services.%s.image %q: %w", svc.Name, svc.Image, err)
		}
		config.Services[i].Image = f.images(svc.Image)
	}
	return config, nil
}

var plainVariable = regexp.MustCompile(`(?:^|[^$])(?:\$\$)*\$(?:\{([_a-zA-Z][_a-zA-Z0-9]*)\}|([_a-zA-Z][_a-zA-Z0-9]*))`)

// noEnvironment keeps compose's own ${…} working without the environment, and
// makes a variable without a value and a default an error, where compose would
// quietly put in nothing: an inventory must mean the same on every machine.
func noEnvironment(o *interpolation.Options, variables map[string]string) *interpolation.Options {
	strict := *o
	strict.LookupValue = func(name string) (string, bool) { v, ok := variables[name]; return v, ok }
	advice := "pass it as an input and write ${input.…}, or $$ for a dollar"
	if variables != nil {
		advice = "give it a value in the stack's inputs = { … }, or write $$ for a dollar"
	}
	strict.Substitute = func(text string, lookup template.Mapping) (string, error) {
		for _, m := range plainVariable.FindAllStringSubmatch(text, -1) {
			if _, ok := variables[m[1]+m[2]]; !ok {
				return "", fmt.Errorf("the variable $%s is not set: %s", m[1]+m[2], advice)
			}
		}
		return template.Substitute(text, lookup)
	}
	return &strict
}

var (
	yamlLine = regexp.MustCompile(`line (\d+):`)
	quotes   = regexp.MustCompile(`['"]([^'"]+)['"]`)
)

// composeError shows what the compose code says at the line that it means, as
// far as that can be told.
func (b *binder) composeError(f *composeFile, err error) {
	line, said := 0, err.Error()
	if m := yamlLine.FindStringSubmatch(said); m != nil {
		line, _ = strconv.Atoi(m[1])
	}
	for _, name := range f.order {
		if strings.Contains(said, "service "+name+":") {
			line = f.lines["services."+name]
		}
	}
	if path := f.pathIn(said); path != "" {
		line = f.lines[path]
	}
	if line == 0 {
		line = f.lineWith(quotes.FindAllStringSubmatch(said, -1))
	}
	b.fail(f.at(line), "Compose file refused", "%s.%s", strings.TrimSuffix(said, "."), composeAdvice(said, f.at(line).SliceBytes(f.text)))
}

var unknownProperty = regexp.MustCompile(`[Aa]dditional propert(?:y|ies) '?([\w-]+)`)

// pathIn is the longest path within the file that a text names, "" where it
// names none.
func (f *composeFile) pathIn(said string) string {
	best := ""
	for _, path := range sortedKeys(f.lines) {
		_, rest, found := strings.Cut(said, path)
		whole := rest == "" || !strings.ContainsAny(rest[:1], "-_") && !unicode.IsLetter(rune(rest[0])) && !unicode.IsDigit(rune(rest[0]))
		if found && whole && len(path) > len(best) {
			best = path
		}
	}
	if m := unknownProperty.FindStringSubmatch(said); m != nil && f.lines[best+"."+m[1]] > 0 {
		best += "." + m[1]
	}
	return best
}

// lineWith is the first line that holds the last of the quoted words, or 0.
func (f *composeFile) lineWith(words [][]string) int {
	if len(words) == 0 {
		return 0
	}
	before, _, ok := bytes.Cut(f.text, []byte(words[len(words)-1][1]))
	if !ok {
		return 0
	}
	return 1 + bytes.Count(before, []byte("\n"))
}

// advices say what to do about what the compose code says.
var advices = []struct{ says, line, advice string }{
	{"cannot start any token", "\t", "YAML is indented by spaces, and this line has a tab."},
	{"invalid map key", "", "A value that begins with {{ stands in quotes: \"{{.Node.Hostname}}\"."},
	{"top-level object must be a mapping", "", "A compose file begins with services: and has the services below it, indented."},
	{"(root): additional property", "", "Services stand below services:, as version 3 of the format has them."},
	{"unsupported Compose file version", "", "Leave version out, or write \"3.8\"."},
	{"undefined network", "", "Declare it at the end of the file: networks: { prod: { external: true } }."},
	{"undefined volume", "", "Declare it at the end of the file: volumes: { data: {} }."},
	{"undefined secret", "", "Declare it at the end of the file: secrets: { token: { external: true, name: \"${secret.token.name}\" } }."},
	{"undefined config", "", "Declare it at the end of the file: configs: { site: { external: true, name: \"${config.site.name}\" } }."},
	{"interval: must be a string", "", "Write it with its unit, such as 10s."},
}

func composeAdvice(said string, line []byte) string {
	for _, a := range advices {
		if strings.Contains(said, a.says) && bytes.Contains(line, []byte(a.line)) {
			return " " + a.advice
		}
	}
	return ""
}

// checkObjects sees to it that the stack lives on what the inventory and the
// playbook make: networks of the inventory, configs and secrets by name.
func (b *binder) checkObjects(f *composeFile, c *types.Config) {
	for _, key := range sortedKeys(c.Networks) {
		if n, at := c.Networks[key], f.at(f.lines["networks."+key]); n.External.External {
			b.checkNetwork(at, cmp.Or(n.Name, key))
		} else {
			b.fail(at, "A network of its own", "The network %q must be `external: true`: overlay networks are made by the inventory's `network` blocks.", key)
		}
	}
	for _, svc := range c.Services {
		if len(svc.Networks) == 0 {
			b.fail(f.atService(svc.Name), "A service without a network", "The service %q joins no network; name one of the inventory's, such as ${networks[0].name}.", svc.Name)
		}
		if n := svc.Deploy.Replicas; b.isSlot(svc.Name) && (svc.Deploy.Mode == "global" || n != nil && *n != 1) {
			b.fail(f.atService(svc.Name), "A slot is one member", "The service %q is the member of a slot: leave out deploy.mode and deploy.replicas, and set the slots' count.", svc.Name)
		}
	}
	for _, key := range sortedKeys(c.Configs) {
		if !c.Configs[key].External.External {
			b.fail(f.at(f.lines["configs."+key]), "A config of its own", "The config %q must be `external: true` with `name: ${config.%s.name}`, and a `config` block of the playbook names its file.", key, key)
		}
	}
	for _, key := range sortedKeys(c.Secrets) {
		if !c.Secrets[key].External.External {
			b.fail(f.at(f.lines["secrets."+key]), "A secret of its own", "The secret %q must be `external: true` with `name: ${secret.%s.name}`, and a `secret` block of the playbook says where its value comes from.", key, key)
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
		svc := Service{Name: spec.Name, Spec: withDefaults(spec)}
		if slots[name] {
			svc.Slot = name
		}
		b.stack.Services = append(b.stack.Services, svc)
	}
	b.stack.Networks = b.overlays()
	return nil
}

// withDefaults writes out what the swarm keeps in the place of what a compose
// file leaves out (moby, daemon/cluster/convert/service.go). A service that was
// made would else differ from the one that is wanted.
func withDefaults(spec swarm.ServiceSpec) swarm.ServiceSpec {
	if r := spec.Mode.Replicated; r != nil && r.Replicas == nil {
		r.Replicas = new(uint64(1))
	}
	for _, c := range []*swarm.UpdateConfig{spec.UpdateConfig, spec.RollbackConfig} {
		if c != nil {
			c.FailureAction = cmp.Or(c.FailureAction, swarm.UpdateFailureActionPause)
			c.Order = cmp.Or(c.Order, swarm.UpdateOrderStopFirst)
		}
	}
	if p := spec.TaskTemplate.RestartPolicy; p != nil {
		p.Condition = cmp.Or(p.Condition, swarm.RestartPolicyConditionAny)
	}
	return spec
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
