package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/inventory"
)

const builtRef = "rmqprov.invalid/proxy:1111"

// withBuilt wants the proxy from an image that is built.
func withBuilt(ref string) Want {
	w := threeHosts()
	w.Inventory.Images = []inventory.Image{{Name: "proxy", Dir: "./proxy", Hash: strings.TrimPrefix(ref, "rmqprov.invalid/proxy:"), Ref: ref}}
	w.Stacks[1].Services[0].Spec.TaskTemplate.ContainerSpec.Image = ref
	return w
}

// imageWays says how each host gets an image.
func imageWays(p *Plan) []string {
	var all []string
	for _, s := range p.Steps {
		switch a := s.Action.(type) {
		case BuildImage:
			all = append(all, s.Host+" builds "+a.Hash)
		case CopyImage:
			all = append(all, s.Host+" from "+a.From)
		case RemoveImage:
			all = append(all, s.Host+" removes "+a.Ref)
		}
	}
	slices.Sort(all)
	return all
}

// One host builds, the others take it from one another; then nothing is to do. A
// folder that changes builds again, and the old image goes after the service has
// changed. A host that is without it takes it from one that has it.
func TestBuiltImages(t *testing.T) {
	w := withBuilt(builtRef)
	got := built(t, w)
	for _, h := range w.Inventory.Hosts {
		delete(got.Hosts[h.Name].Engine.Value.Images, builtRef)
	}
	p := mustMake(t, w, got)
	if diff := cmp.Diff([]string{"a builds 1111", "b from a", "c from a"}, imageWays(p)); diff != "" {
		t.Error(diff)
	}
	if after := waits(t, p, imageID("b", builtRef)); !slices.Contains(after, imageID("a", builtRef)) {
		t.Errorf("b does not wait for the image that it takes from a: %q", after)
	}
	for _, h := range w.Inventory.Hosts {
		got.Hosts[h.Name].Engine.Value.Images[builtRef] = true
	}
	if p := mustMake(t, w, got); !p.Empty() {
		t.Errorf("there is more to do:\n%s", p.Graph())
	}

	delete(got.Hosts["a"].Engine.Value.Images, builtRef)
	if diff := cmp.Diff([]string{"a from b"}, imageWays(mustMake(t, w, got))); diff != "" {
		t.Error(diff)
	}

	p = mustMake(t, withBuilt("rmqprov.invalid/proxy:2222"), got)
	want := []string{"a builds 2222", "b from a", "b removes " + builtRef, "c from a", "c removes " + builtRef}
	if diff := cmp.Diff(want, imageWays(p)); diff != "" {
		t.Error(diff)
	}
	if after := waits(t, p, imageID("b", builtRef)); !slices.Contains(after, "stack.proxy.service.proxy") {
		t.Errorf("the old image does not wait for the service to change: %q", after)
	}
}
