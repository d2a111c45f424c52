package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestLosingAMajorityAsksForTheClustersName(t *testing.T) {
	tests := map[string]struct {
		force, answer string
		asks          bool
		want          string // "": it goes ahead
	}{
		"not asked for":        {"", "", false, ""},
		"named":                {"rmq", "", false, ""},
		"another named":        {"prod", "", false, "names prod, and the cluster of this inventory is rmq; nothing was changed"},
		"its name":             {forceAsk, "rmq\n", true, ""},
		"yes is not enough":    {forceAsk, "yes\n", true, "not approved; nothing was changed"},
		"another name":         {forceAsk, "prod\n", true, "not approved; nothing was changed"},
		"the terminal is gone": {forceAsk, "", true, "not approved; nothing was changed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			a := &app{environment: environment{Stdin: strings.NewReader(test.answer), Stderr: &out, StdinTerminal: true, StderrTerminal: true, Env: noEnv}}
			err := a.checkForce(test.force, "rmq")
			if err == nil {
				err = a.askForce(t.Context(), test.force, "rmq")
			}
			if err != nil && (test.want == "" || !strings.Contains(err.Error(), test.want)) || err == nil && test.want != "" {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if asks := strings.Contains(out.String(), "Only the cluster's name, rmq, goes ahead: "); asks != test.asks {
				t.Errorf("it asks: %v, want %v:\n%s", asks, test.asks, out.String())
			}
		})
	}
}
