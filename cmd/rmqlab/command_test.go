package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// Mistakes in the arguments are found before an engine is started or installed.
func TestUsageErrors(t *testing.T) {
	tests := map[string]string{
		"up --hosts 0":             "--hosts 0: a lab has at least one host",
		"up --os debian13,debian9": "--os debian9: choose from debian12, debian13, amzn2023, amzn2",
		"up --subnet nonsense":     `invalid argument "nonsense" for "--subnet"`,
		"up node-1":                `unknown command "node-1"`,
		"kill":                     "accepts 1 arg(s), received 0",
		"throttle node-1":          "accepts 2 arg(s), received 1",
		"ssh":                      "requires at least 1 arg(s)",
		"images nonsense:1":        `invalid argument "nonsense:1" for "rmqlab images"`,
		"nonsense":                 `unknown command "nonsense"`,
	}
	for args, want := range tests {
		t.Run(args, func(t *testing.T) {
			cmd := command()
			cmd.SetArgs(strings.Fields(args))
			cmd.SetOut(io.Discard)
			if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v\nwant %s", err, want)
			}
		})
	}
}

func TestVerbs(t *testing.T) {
	want := strings.Fields("block console cut days down engine freeze heal images kill load replace ssh start status thaw throttle unblock up")
	var got []string
	for _, c := range command().Commands() {
		if c.Name() != "help" && c.Name() != "completion" {
			got = append(got, c.Name())
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestDefaultDirIsTheLabsOwn(t *testing.T) {
	tests := []struct {
		target target
		want   stateDir
	}{
		{target{name: "lab"}, ".lab"},
		{target{name: "soak"}, ".lab/soak"},
		{target{name: "soak", dir: "/x"}, "/x"},
	}
	for _, test := range tests {
		if got := test.target.stateDir(); got != test.want {
			t.Errorf("%+v: %s, want %s", test.target, got, test.want)
		}
	}
}
