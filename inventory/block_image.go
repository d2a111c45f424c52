package inventory

import (
	"fmt"
	"regexp"

	"github.com/zclconf/go-cty/cty"
)

// imageName is a part of an image's reference (github.com/distribution/reference).
var imageName = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*$`)

func (ld *loader) declareImages() {
	for _, b := range ld.blocks["image"] {
		i := len(ld.inv.Images)
		declared := ld.declare("image", b.name, b.label(), func() cty.Value {
			ld.inv.Images[i] = b.image()
			if ld.inv.Images[i].Ref == "" {
				return cty.DynamicVal // reported
			}
			return cty.StringVal(ld.inv.Images[i].Ref)
		})
		if declared {
			ld.inv.Images = append(ld.inv.Images, Image{Name: b.name})
		} else {
			ld.unused = append(ld.unused, func() { b.image() })
		}
	}
}

// image reads the folder and gives the image a name that follows its content.
func (b *block) image() Image {
	im := Image{Name: b.name, Range: b.header()}
	if !imageName.MatchString(b.name) {
		b.ld.errorAt(b.label(), fmt.Sprintf("Invalid name %q", b.name), "An image's name is made of lower-case letters and digits, with single dots, dashes and underscores between them.")
		return im
	}
	written := b.requiredText("build", fmt.Sprintf("%q", "./"+b.name))
	if written == "" {
		return im
	}
	im.Dir = localPath(b.ld.inv.Dir, b.ld.env, written)
	c, err := ReadContext(im.Dir)
	if err != nil {
		b.ld.errorAt(b.place("build"), "Cannot build from "+written, "%v. It is a folder with a Dockerfile, from the inventory's folder on.", err)
		return im
	}
	im.Hash = c.Hash
	im.Ref = builtIn + b.name + ":" + c.Hash
	return im
}
