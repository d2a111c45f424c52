package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// RecipeLabel is the image label that holds the hash of what an image was built from.
const RecipeLabel = "rmqlab.recipe"

// Docker runs the docker client against the lab's engine and returns its standard output,
// without the trailing newline. The error carries standard error.
func (e *Engine) Docker(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	err := e.DockerIO(ctx, nil, &out, args...)
	return strings.TrimSuffix(out.String(), "\n"), err
}

// DockerIO is Docker with the command's input and output as streams; either may be nil.
func (e *Engine) DockerIO(ctx context.Context, stdin io.Reader, stdout io.Writer, args ...string) error {
	var stderr bytes.Buffer
	cmd := e.Command(ctx, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("docker %s: %w: %s", brief(args), err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// brief names a docker command in an error, without the flags of a long one.
func brief(args []string) string {
	if len(args) > 8 {
		args = []string{args[0], args[1], "…", args[len(args)-1]}
	}
	return strings.Join(args, " ")
}

// Command prepares a docker client against the lab's engine, for a caller that wires its own
// terminal. The client reads nothing of the user's own Docker configuration.
func (e *Engine) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.docker, append([]string{"--host", "unix://" + e.Socket}, args...)...)
	cmd.Env = append(withoutDocker(os.Environ()), "DOCKER_CONFIG="+filepath.Join(e.Cache, "client"))
	return cmd
}

func withoutDocker(env []string) []string {
	var kept []string
	for _, kv := range env {
		if !strings.HasPrefix(kv, "DOCKER_") {
			kept = append(kept, kv)
		}
	}
	return kept
}

// HasImage reports whether the engine holds an image of that tag.
func (e *Engine) HasImage(ctx context.Context, tag string) (bool, error) {
	out, err := e.Docker(ctx, "image", "ls", "--quiet", tag)
	return out != "", err
}

// Current reports whether the engine holds tag and it was built from that recipe.
func (e *Engine) Current(ctx context.Context, tag, recipe string) (bool, error) {
	out, err := e.Docker(ctx, "image", "ls", "--quiet", "--filter", "label="+RecipeLabel+"="+recipe, tag)
	return out != "", err
}

// findDocker prefers the distribution's client, which fits the distribution's engine.
func findDocker() (string, error) {
	for _, name := range []string{"/usr/bin/docker", "docker"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no docker client found in PATH")
}

// NoSuch reports whether err is Docker's answer that the object does not exist.
func NoSuch(err error) bool {
	return err != nil && strings.Contains(strings.ToLower(err.Error()), "no such")
}
