package provision

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rmqprov/rmqprov/"

// may says which of the project's own packages each may import. Arrows run
// downwards only: a package that is low down can then be read, tested and
// changed without those above it.
var may = map[string][]string{
	"inventory":             {},
	"playbooks":             {"inventory"},
	"provision/state":       {"provision/cloud/group"},
	"provision/remote":      {},
	"provision/plan":        {"inventory", "playbooks", "provision/cloud/group", "provision/state"},
	"provision/cloud/group": {"inventory"},
	"provision/cloud":       {"inventory", "provision/cloud/group"},
	"provision/preflight":   {"provision/plan", "provision/remote"},
	"provision":             {"inventory", "playbooks", "provision/cloud", "provision/plan", "provision/preflight", "provision/remote", "provision/state"},
}

// The decisions are pure: what could read a clock, a file or the network is out
// of their reach.
var never = map[string][]string{
	"provision/plan":  {"context", "os", "net", "net/http", "math/rand", "math/rand/v2", "crypto/rand"},
	"provision/state": {"context", "os", "net", "net/http"},
}

func TestImportsRunDownwards(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		allowed, ruled := may[name]
		if !ruled {
			continue
		}
		seen++
		for _, path := range p.Imports {
			if own, ok := strings.CutPrefix(path, module); ok && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s, which stands above it or beside it", name, own)
			}
			if slices.Contains(never[name], path) {
				t.Errorf("%s imports %s, and must be pure", name, path)
			}
		}
	}
	if seen < len(may) {
		t.Errorf("only %d of %d packages were found", seen, len(may))
	}
}
