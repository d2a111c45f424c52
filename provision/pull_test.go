package provision

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/containerd/errdefs"
)

func TestInsist(t *testing.T) {
	slow := errors.New(`Get "http://10.0.0.1:5000/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`)
	for name, c := range map[string]struct {
		answers []error // in turn; then nil
		tries   int
		fails   bool
	}{
		"at once":                   {nil, 1, false},
		"a slow mirror":             {[]error{slow, errors.New("unexpected EOF")}, 3, false},
		"slow for ever":             {[]error{slow, slow, slow, slow, slow}, 3, true},
		"no such image":             {[]error{errors.New("manifest for rabbitmq:4.9 not found: manifest unknown: manifest unknown")}, 1, true},
		"no such repository":        {[]error{errors.New("pull access denied for rabitmq, repository does not exist or may require 'docker login'")}, 1, true},
		"too many pulls":            {[]error{errors.New("toomanyrequests: You have reached your pull rate limit.")}, 1, true},
		"full":                      {[]error{slow, errors.New("write /var/lib/docker/tmp/x: no space left on device")}, 2, true},
		"not found, by its type":    {[]error{errdefs.ErrNotFound}, 1, true},
		"Docker just being stopped": {[]error{errdefs.ErrUnavailable}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			var said []string
			err := insist(t.Context(), []time.Duration{0, 0}, func(line string) { said = append(said, line) }, func() error {
				if tries++; tries <= len(c.answers) {
					return c.answers[tries-1]
				}
				return nil
			})
			if (err != nil) != c.fails || tries != c.tries {
				t.Errorf("%d tries, %v; want %d", tries, err, c.tries)
			}
			if len(said) != tries-1 || slices.Contains(said, "") {
				t.Errorf("told were %q", said)
			}
		})
	}
}

func TestInsistEndsWithTheRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := insist(ctx, []time.Duration{time.Hour}, func(string) { cancel() }, func() error { return errors.New("EOF") })
	if err == nil || err.Error() != "EOF" {
		t.Error(err)
	}
}
