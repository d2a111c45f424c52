package plan

import (
	"slices"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
)

// The actions on images that are built here and are in no registry.
type (
	// BuildImage builds an image on the host, from a folder of this machine
	// whose content must still be what Hash says.
	BuildImage struct {
		Ref  string
		Dir  string
		Hash string
		Tags map[string]string // labels of the image
	}

	// CopyImage brings an image from another host.
	CopyImage struct {
		Ref  string
		From string // name of the host
	}

	// RemoveImage takes the name off an image, and the image away with its last one.
	RemoveImage struct{ Ref string }
)

func (BuildImage) action()  {}
func (CopyImage) action()   {}
func (RemoveImage) action() {}

// imageStep plans how a host gets an image: pulled, built there, or from the
// host that has it.
func (b *builder) imageStep(host, ref string) Step {
	step := Step{ID: imageID(host, ref), Host: host, Kind: Create, Why: "image not on the host"}
	i := slices.IndexFunc(b.inv.Images, func(im inventory.Image) bool { return im.Ref == ref })
	if i < 0 {
		step.Summary, step.Action = "pull "+ref, PullImage{Ref: ref}
		return step
	}
	im := b.inv.Images[i]
	from := b.imageSource(host, ref)
	if from == "" {
		step.Summary, step.Why = "build image "+im.Name+" from "+im.Dir, "no host has it as the folder is now"
		step.Action = BuildImage{Ref: ref, Dir: im.Dir, Hash: im.Hash, Tags: b.labels()}
		return step
	}
	step.Summary, step.Action = "take image "+im.Name+" from "+from, CopyImage{Ref: ref, From: from}
	step.After = []ID{imageID(from, ref)}
	return step
}

// imageSource is the host that a host gets an image from, "" where it is to
// build it. Each host that has it serves two more: the image goes through the
// tree in as many rounds as it takes, and no host is asked by all.
func (b *builder) imageSource(host, ref string) string {
	var have, need []string
	for _, h := range b.reached() {
		switch {
		case b.hasImage(h.Name, ref):
			have = append(have, h.Name)
		case b.wantsImage(h.Name, ref):
			need = append(need, h.Name)
		}
	}
	all := append(have, need...)
	at := slices.Index(all, host)
	if at <= 0 {
		return ""
	}
	return all[(at-1)/2]
}

// wantsImage says whether a service of an image may run on a host that can take
// it now.
func (b *builder) wantsImage(host, ref string) bool {
	if b.engine(host) == nil && b.member(host) {
		return false
	}
	return slices.ContainsFunc(b.want.Stacks, func(s playbooks.Stack) bool {
		return slices.ContainsFunc(s.Services, func(svc playbooks.Service) bool { return image(svc) == ref && b.mayRunOn(svc, host) })
	})
}

// builtImages are the images on a host that were built, sorted.
func (b *builder) builtImages(host string) []string {
	e := b.engine(host)
	if e == nil {
		return nil
	}
	return slices.DeleteFunc(sortedKeys(e.Images), func(ref string) bool { return !inventory.IsBuilt(ref) })
}

// oldImages plans the removal of images that were built of what a folder held
// before, once no service runs them.
func (b *builder) oldImages(after []ID) {
	for _, h := range b.reached() {
		for _, ref := range b.builtImages(h.Name) {
			if slices.ContainsFunc(b.inv.Images, func(im inventory.Image) bool { return im.Ref == ref }) {
				continue
			}
			b.add(Step{
				ID: imageID(h.Name, ref), Host: h.Name, Kind: Delete, Summary: "remove image " + ref,
				Why: "its folder is another by now", After: slices.Clone(after), Action: RemoveImage{Ref: ref},
			})
		}
	}
}
