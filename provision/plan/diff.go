package plan

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/swarm"
)

// named returns a service's spec as it was asked for: the swarm keeps ids of
// networks, configs and secrets where the request had names.
func (b *builder) named(spec swarm.ServiceSpec) swarm.ServiceSpec {
	networks := slices.Clone(spec.TaskTemplate.Networks)
	for i, n := range networks {
		for _, seen := range b.got.Swarm.Value.Networks {
			if seen.ID == n.Target {
				networks[i].Target = seen.Name
			}
		}
	}
	spec.TaskTemplate.Networks = networks
	return spec
}

// likeWanted drops from an image the digest that `docker stack deploy` pins,
// where the stack asks for a tag only: by hand or by rmqprov, it is the same.
func likeWanted(spec swarm.ServiceSpec, want string) swarm.ServiceSpec {
	container := *spec.TaskTemplate.ContainerSpec
	if tag, _, pinned := strings.Cut(container.Image, "@"); pinned && !strings.Contains(want, "@") {
		container.Image = tag
	}
	spec.TaskTemplate.ContainerSpec = &container
	return spec
}

// specChanges compares two service specs field by field. Fields that say
// nothing (false, 0, "", empty) are as good as absent.
func specChanges(before, after swarm.ServiceSpec) []Change {
	was, want := flatten(before), flatten(after)
	var changes []Change
	for _, path := range union(was, want) {
		if !reflect.DeepEqual(was[path], want[path]) {
			changes = append(changes, Change{Path: path, Before: was[path], After: want[path]})
		}
	}
	return changes
}

// SameTask says whether a task was made of a service's present template. The
// swarm writes the two down with different defaults.
func SameTask(task, template swarm.TaskSpec) bool {
	return reflect.DeepEqual(flatten(swarm.ServiceSpec{TaskTemplate: task}), flatten(swarm.ServiceSpec{TaskTemplate: template}))
}

func union(x, y map[string]any) []string {
	paths := append(sortedKeys(x), sortedKeys(y)...)
	slices.Sort(paths)
	return slices.Compact(paths)
}

// flatten turns a spec into its leaves by path.
func flatten(spec swarm.ServiceSpec) map[string]any {
	out := map[string]any{}
	leaves("", plain(spec), out)
	for path, v := range out {
		if ignored(path) || implied(path, v) {
			delete(out, path)
		}
	}
	return out
}

// implied are values that the swarm writes down where the compose file leaves
// them out.
func implied(path string, v any) bool {
	port := strings.HasPrefix(path, "EndpointSpec.Ports[")
	return path == "EndpointSpec.Mode" && v == "vip" ||
		port && strings.HasSuffix(path, ".Protocol") && v == "tcp" ||
		port && strings.HasSuffix(path, ".PublishMode") && v == "ingress"
}

// ignored are fields that the swarm fills in, or ids of what is compared by
// name.
func ignored(path string) bool {
	return strings.HasSuffix(path, ".ConfigID") || strings.HasSuffix(path, ".SecretID") ||
		path == "TaskTemplate.ForceUpdate" || path == "TaskTemplate.Runtime" ||
		strings.HasPrefix(path, "TaskTemplate.Placement.Platforms") ||
		path == "TaskTemplate.ContainerSpec.Isolation"
}

func leaves(path string, v any, out map[string]any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			leaves(strings.TrimPrefix(path+"."+k, "."), x, out)
		}
	case []any:
		for i, x := range v {
			leaves(path+element(x, i), x, out)
		}
	case nil:
	default:
		if !reflect.ValueOf(v).IsZero() {
			out[path] = v
		}
	}
}

// element names an item of a list by what it is, where it says so, so that a
// list in another order is no change, and a diff can be read.
func element(v any, i int) string {
	switch v := v.(type) {
	case string:
		if key, _, ok := strings.Cut(v, "="); ok {
			return "[" + key + "]"
		}
	case map[string]any:
		if file, ok := v["File"].(map[string]any); ok { // a config or a secret: where it stands in the container
			return fmt.Sprintf("[%v]", file["Name"])
		}
		if port, ok := v["PublishedPort"]; ok {
			return fmt.Sprintf("[%v]", port)
		}
		if target, ok := v["Target"].(string); ok {
			return "[" + target + "]"
		}
	}
	return fmt.Sprintf("[%d]", i)
}

// short leaves out of the paths what every one of them begins with.
func short(changes []Change) []Change {
	out := slices.Clone(changes)
	for i := range out {
		out[i].Path = strings.TrimPrefix(strings.TrimPrefix(out[i].Path, "TaskTemplate."), "ContainerSpec.")
	}
	return out
}

// restarts says whether changes of a spec make the swarm start new tasks.
func restarts(changes []Change) bool {
	return slices.ContainsFunc(changes, func(c Change) bool {
		return strings.HasPrefix(c.Path, "TaskTemplate.") || strings.HasPrefix(c.Path, "EndpointSpec.") ||
			strings.HasPrefix(c.Path, "Networks") || strings.HasPrefix(c.Path, "Mode.")
	})
}

// compact renders a value on one line.
func compact(v any) string {
	if v == nil {
		return "(none)"
	}
	if s, ok := v.(string); ok {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}
