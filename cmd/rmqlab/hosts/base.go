package hosts

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
)

//go:embed base.sh
var baseScript string

// BuildFromBase makes sure that there is a host image made of a real base image, such as
// amazonlinux:2023, and returns its tag. The base is pulled unless the engine has it.
func BuildFromBase(ctx context.Context, e *engine.Engine, base string) (string, error) {
	sum := sha256.Sum256([]byte(base + "\n" + baseScript))
	recipe := hex.EncodeToString(sum[:8])
	tag := "rmqlab/base:" + recipe
	unlock, err := e.Lock("image-" + tag)
	if err != nil {
		return "", err
	}
	defer unlock()
	if ok, err := e.Current(ctx, tag, recipe); ok || err != nil {
		return tag, err
	}
	e.Say("making a host image of %s", base)
	if err := makeFromBase(ctx, e, base, tag, recipe); err != nil {
		return "", fmt.Errorf("making a host image of %s: %w", base, err)
	}
	return tag, nil
}

func makeFromBase(ctx context.Context, e *engine.Engine, base, tag, recipe string) error {
	container := "rmqlab-base-" + recipe
	// An interrupted build may have left it.
	if _, err := e.Docker(ctx, "container", "rm", "--force", container); err != nil && !engine.NoSuch(err) {
		return err
	}
	if err := pull(ctx, e, base); err != nil {
		return err
	}
	// The engine has no bridge of its own, and gives builds the machine's network.
	err := e.DockerIO(ctx, strings.NewReader(baseScript), nil, "container", "run", "--interactive", "--name", container,
		"--network", "host", "--user", "0", "--entrypoint", "/bin/sh", base, "-c", `exec /bin/sh -euc "$(cat)" </dev/null`)
	if err != nil {
		return err
	}
	if _, err := e.Docker(ctx, "container", "commit", "--change", "LABEL "+engine.RecipeLabel+"="+recipe, container, tag); err != nil {
		return err
	}
	_, err = e.Docker(ctx, "container", "rm", "--force", container)
	return err
}

func pull(ctx context.Context, e *engine.Engine, image string) error {
	if there, err := e.HasImage(ctx, image); there || err != nil {
		return err
	}
	e.Say("pulling %s", image)
	if _, err := e.Docker(ctx, "image", "pull", "--quiet", image); err != nil {
		return fmt.Errorf("%w; --base takes a registry that this machine reaches", err)
	}
	return nil
}
