// Package amzn builds host images that stand in for Amazon Linux 2023 and Amazon Linux 2,
// where Amazon's own cannot be had. They are Debian 13 underneath, with what a provisioner
// meets on the real ones: their os-release, dnf and yum as the only package manager over a
// local RPM repository, Docker as a package that is installed but neither enabled nor
// started, and the names, groups and paths that differ from Debian's.
package amzn

import (
	"context"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
)

// Build makes sure that the engine holds the stand-in for a line of Amazon Linux, "amzn2023"
// or "amzn2", as image rmqlab/host:LINE. It takes about a minute, and nothing when an image of
// the same recipe is there.
func Build(ctx context.Context, e *engine.Engine, line string) error {
	r, err := rootfs(line)
	if err != nil {
		return err
	}
	return e.BuildRootfs(ctx, "rmqlab/host:"+line, r)
}
